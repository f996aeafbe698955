import { Module, type DynamicModule } from '@nestjs/common';
import { ConnectionsConsumer } from './connections.consumer';
import { Tracker } from './tracker';

/** The presence service: keeps `last_seen`. */
@Module({})
export class PresenceModule {
  /** The module around a tracker with its database. */
  static around(tracker: Tracker): DynamicModule {
    return {
      module: PresenceModule,
      controllers: [ConnectionsConsumer],
      providers: [{ provide: Tracker, useValue: tracker }],
    };
  }
}
