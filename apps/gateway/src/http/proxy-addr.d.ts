/** What is used of it; express brings the package, without types. */
declare module 'proxy-addr' {
  import type { IncomingMessage } from 'node:http';

  type Trust = (address: string, hop: number) => boolean;

  /** The address furthest from here that a chain of trusted ones tells. */
  function proxyaddr(request: IncomingMessage, trust: Trust): string;
  namespace proxyaddr {
    /** Throws a TypeError for what is neither an address, a network nor a known name. */
    function compile(trusted: readonly string[]): Trust;
  }
  export = proxyaddr;
}
