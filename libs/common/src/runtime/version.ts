/** The running release, as in package.json (a test compares). Other nodes are told. */
export const VERSION = '0.1.0';
