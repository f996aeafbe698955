import { Controller, Get, Header, Param, Post, Query, Req, Res } from '@nestjs/common';
import {
  signedMediaQuery,
  type MediaAnswer,
  type MediaUrlAnswer,
  type MediaVariant,
  type SignedMediaQuery,
} from '@tidings/protocol/http';
import { uuid } from '@tidings/protocol/ids';
import { ZodPipe } from '@tidings/common/runtime/zod.pipe';
import type { Request, Response } from 'express';
import { Open } from '../auth/jwt-auth.guard';
import { Caller, type Principal } from '../auth/principal';
import { secondsLeft } from '../media/seconds-left';
import { MediaParts } from '../media/media.parts';

const MEDIA_ID = new ZodPipe(uuid);
/** The bytes never change; a deleted image shall not outlive its message for long in a cache, seconds. */
const PRIVATE_SECONDS = 3600;

@Controller('media')
export class MediaController {
  constructor(private readonly media: MediaParts) {}

  @Post()
  upload(@Caller() caller: Principal, @Req() request: Request): Promise<MediaAnswer> {
    return this.media.uploads.take(request, caller);
  }

  @Get(':id')
  original(
    @Caller() { userId }: Principal,
    @Param('id', MEDIA_ID) id: string,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    return this.send(userId, id, 'original', { request, response });
  }

  @Get(':id/thumbnail')
  thumbnail(
    @Caller() { userId }: Principal,
    @Param('id', MEDIA_ID) id: string,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    return this.send(userId, id, 'thumbnail', { request, response });
  }

  @Get(':id/url')
  async url(
    @Caller() { userId: user }: Principal,
    @Param('id', MEDIA_ID) id: string,
  ): Promise<MediaUrlAnswer> {
    const { kind, expiresAt } = await this.media.access.find(user, id);
    const { urls, wallClock } = this.media;
    const expires = urls.expiry(wallClock(), expiresAt);
    const sign = (variant: MediaVariant): string => urls.sign(id, { variant, user, expires });
    return {
      url: sign('original'),
      ...(kind === 'image' && { thumbnailUrl: sign('thumbnail') }),
      expiresAt: new Date(expires * 1000).toISOString(),
    };
  }

  /** The signature stands for a login; whether the user may (still) read it is asked each time. */
  @Open()
  @Header('Referrer-Policy', 'no-referrer')
  @Get(':id/signed')
  async signed(
    @Param('id', MEDIA_ID) id: string,
    @Query(new ZodPipe(signedMediaQuery)) query: SignedMediaQuery,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    const { urls, access, responder, wallClock } = this.media;
    const left = urls.check(id, query, wallClock());
    const medium = await access.find(query.user, id);
    const seconds = secondsLeft(left, medium.expiresAt, wallClock());
    const caching = `public, max-age=${seconds}, immutable`;
    const wanted = { medium, caching, variant: query.variant, userId: query.user };
    await responder.send(wanted, { request, response });
  }

  private async send(
    userId: string,
    id: string,
    variant: MediaVariant,
    exchange: { request: Request; response: Response },
  ): Promise<void> {
    const medium = await this.media.access.find(userId, id);
    const seconds = secondsLeft(PRIVATE_SECONDS, medium.expiresAt, this.media.wallClock());
    const caching = `private, max-age=${seconds}, immutable`;
    await this.media.responder.send({ medium, variant, caching, userId }, exchange);
  }
}
