const { basename } = require('node:path');
const Sequencer = require('@jest/test-sequencer').default;

/**
 * What takes a minute and more begins first, also where no earlier run has told how long each file
 * takes: otherwise the last of them runs alone while the other workers idle.
 */
const LONG = [
  'load-tool',
  'connect-race',
  'temporary-traces',
  'same-id',
  'storage-sync-property',
  'gateway-lifecycle',
  'storage-kept-state',
  'media',
];

function rank({ path }) {
  const index = LONG.findIndex((name) => basename(path).startsWith(`${name}.`));
  return index < 0 ? LONG.length : index;
}

module.exports = class LongestFirst extends Sequencer {
  sort(tests) {
    const usual = super.sort(tests);
    return [...usual].sort((a, b) => rank(a) - rank(b));
  }
};
