import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { mountHealth } from './health';
import { nestLogger, type Logger } from './logger';

@Module({})
class NothingModule {}

/**
 * Opens a listener that has health and metrics alone. A service whose start is in a hurry loads this file
 * (and with it Nest and express) when what people wait for is done.
 */
export async function openHealthListener(
  { host, port, logger }: { host: string; port: number; logger: Logger },
  health: Parameters<typeof mountHealth>[1],
): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(NothingModule, {
    logger: nestLogger(logger),
    bodyParser: false,
  });
  mountHealth(app, health);
  await app.listen(port, host);
  return app;
}
