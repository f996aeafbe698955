/** The release that runs, as package.json has it (a test compares): told to other nodes. */
export const VERSION = '0.1.0';
