import 'reflect-metadata';
import { serve } from '@tidings/common/runtime/serve';
import { Session } from './session';
import { sessionEnv } from './session.env';

serve({
  name: 'session',
  env: sessionEnv,
  startedAfter: ['first push', 'caught up'],
  make: (options) => new Session(options),
});
