import { shedLine } from './shed-line';

describe('what the server sheds, as a sentence', () => {
  it.each([
    [['typing'], 'nobody is shown as typing'],
    [['typing', 'presence'], 'nobody is shown as typing, who is here may be late'],
    [
      ['typing', 'presence', 'receipts'],
      'nobody is shown as typing, who is here and ticks may be late',
    ],
    [['a later\u001b[2J lane'], 'a later\u241b[2J lane may be late'],
  ])('%j', (lanes, what) => {
    expect(shedLine(lanes)).toBe(`the server is very busy: ${what}; messages go on as ever`);
  });

  it('none: all is normal', () => expect(shedLine([])).toBe('the server is back to normal'));
});
