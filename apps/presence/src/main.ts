import 'reflect-metadata';
import { serve } from '@tidings/common/runtime/serve';
import { Presence } from './presence';
import { presenceEnv } from './presence.env';

serve({
  name: 'presence',
  env: presenceEnv,
  startedAfter: ['ready'],
  make: (options) => new Presence(options),
});
