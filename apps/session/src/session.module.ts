import { Module } from '@nestjs/common';

/** The session service's listener: health and metrics. Consuming does not wait for it. */
@Module({})
export class SessionModule {}
