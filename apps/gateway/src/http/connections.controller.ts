import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import {
  connectionsBody,
  type ConnectionsAnswer,
  type ConnectionsBody,
} from '@tidings/protocol/http';
import { ZodPipe } from '@tidings/common/runtime/zod.pipe';
import { Admitted } from './admission.guard';
import { Caller, type Principal } from '../auth/principal';
import { DirectoryService } from '../directory/directory.service';

@Controller('connections')
export class ConnectionsController {
  constructor(private readonly directory: DirectoryService) {}

  @Admitted()
  @HttpCode(200)
  @Post()
  connect(
    @Caller() caller: Principal,
    @Body(new ZodPipe(connectionsBody)) body: ConnectionsBody,
  ): Promise<ConnectionsAnswer> {
    return this.directory.connect(caller, body);
  }
}
