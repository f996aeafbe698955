import { Body, Controller, Delete, Get, HttpStatus, Ip, Param, Post, Res } from '@nestjs/common';
import type { Response } from 'express';
import { broadcastBody, type Broadcast, type BroadcastBody } from '@tidings/protocol/broadcasts';
import { contentProblem, PROBLEM_DETAILS } from '@tidings/protocol/content';
import { TidingsError } from '@tidings/protocol/errors';
import { uuid } from '@tidings/protocol/ids';
import type { RpcInput, STORAGE_RPC } from '@tidings/common/rpc/calls';
import { ZodPipe } from '@tidings/common/runtime/zod.pipe';
import { Caller, type Principal } from '../auth/principal';
import { CHANGE_CALL, StorageClient } from '../service-clients';

const ID = new ZodPipe(uuid);

/** Messages to everybody. Storage judges whether the caller may: `forbidden` for everybody else. */
@Controller('broadcasts')
export class BroadcastsController {
  constructor(private readonly storage: StorageClient) {}

  /** 200: in the log, or deleted before; 202: on its way there. */
  @Post()
  async create(
    @Caller() caller: Principal,
    @Ip() address: string,
    @Body(new ZodPipe(broadcastBody)) body: BroadcastBody,
    @Res({ passthrough: true }) response: Response,
  ): Promise<Broadcast> {
    const problem = contentProblem(body.content);
    if (problem) throw new TidingsError(problem, { detail: PROBLEM_DETAILS[problem] });
    const input = { by: byOf(caller, address), ...body };
    const made = await this.storage.call('broadcasts.create', input, CHANGE_CALL);
    response.status(made.state === 'queued' ? HttpStatus.ACCEPTED : HttpStatus.OK);
    return made;
  }

  @Get(':id')
  get(
    @Caller() caller: Principal,
    @Ip() address: string,
    @Param('id', ID) messageId: string,
  ): Promise<Broadcast> {
    return this.storage.call('broadcasts.get', { by: byOf(caller, address), messageId });
  }

  /** 204: nobody gets it any more; 202: that is on its way. */
  @Delete(':id')
  async delete(
    @Caller() caller: Principal,
    @Ip() address: string,
    @Param('id', ID) messageId: string,
    @Res({ passthrough: true }) response: Response,
  ): Promise<void> {
    const input = { by: byOf(caller, address), messageId };
    const { done } = await this.storage.call('broadcasts.delete', input, CHANGE_CALL);
    response.status(done ? HttpStatus.NO_CONTENT : HttpStatus.ACCEPTED);
  }
}

function byOf(
  { userId, deviceId }: Principal,
  origin: string,
): RpcInput<typeof STORAGE_RPC, 'broadcasts.get'>['by'] {
  return { userId, deviceId, origin };
}
