import { Module, type DynamicModule } from '@nestjs/common';
import { MessagesConsumer } from './routing/messages.consumer';
import { Router } from './routing/router';

/** The session service: routing of the conversation log. */
@Module({})
export class SessionModule {
  /** The module around a router that knows the log's epoch and position bases. */
  static around(router: Router): DynamicModule {
    return {
      module: SessionModule,
      controllers: [MessagesConsumer],
      providers: [{ provide: Router, useValue: router }],
    };
  }
}
