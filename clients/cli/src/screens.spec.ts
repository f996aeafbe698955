import { PassThrough } from 'node:stream';
import { ESC, openTerminal as open, soon } from '../testing/fake-terminal';
import { written } from '../testing/written';
import { PipeScreen } from './pipe-screen';

const paste = (text: string): string => `${ESC}[200~${text}${ESC}[201~`;

describe('terminal screen', () => {
  let bench: ReturnType<typeof open>;
  const start = (columns?: number, rows?: number) => {
    bench = open(columns, rows);
    bench.screen.frame(() => ({ prompt: 'bob> ', left: [], right: [] }));
    return bench;
  };
  afterEach(() => bench.screen.close());
  const shows = (...lines: string[]) => soon(() => expect(bench.terminal.lines).toEqual(lines));
  const RULE = '─'.repeat(40);

  it('prints above what is being typed, which stays as it is', async () => {
    const { screen, terminal, type } = start();
    const line = screen.nextLine();
    type('hello wo');
    screen.print('12:03  bob  hi');
    type('rld');
    await shows('12:03  bob  hi', RULE, 'bob> hello world');
    expect(terminal.cursor).toEqual({ row: 23, column: 16 });
    type('\r');
    expect(await line).toEqual({ text: 'hello world', literal: false });
    await shows('12:03  bob  hi', RULE, 'bob>');
  });

  it('takes what is pasted for one message, and never for a command or a key', async () => {
    const { screen, type, terminal, interrupts } = start(60);
    type(paste(`/delete\r\nline two\r${ESC}[2J\u0003\u0004end`));
    await soon(() => expect(terminal.lines.join('\n')).toContain('not a command'));
    type('\r');
    const text = '/delete\nline two\n[2Jend';
    expect(await screen.nextLine()).toEqual({ text, literal: true });
    expect(interrupts()).toBe(0);
    // What follows a command that was typed is its argument.
    type('/edit ');
    type(paste('a\nb'));
    type('\r');
    expect(await screen.nextLine()).toEqual({ text: '/edit a\nb', literal: false });
  });

  it('leaves a paste that never ends by Ctrl-C', async () => {
    const { type, interrupts } = start();
    type(`${ESC}[200~half of it`);
    type('\u0003');
    await soon(() => expect(interrupts()).toBe(1));
  });

  it('takes several lines by Alt-Enter, or by a backslash at the end of one', async () => {
    const { screen, type } = start();
    type(`one${ESC}\rtwo\\\rthree`);
    await shows(RULE, 'bob> one', '     two', '     three');
    type(`${ESC}[A${ESC}[A!\r`);
    expect(await screen.nextLine()).toEqual({ text: 'one!\ntwo\nthree', literal: false });
    type(`${ESC}[A`);
    await shows(RULE, 'bob> one!', '     two', '     three');
  });

  it('edits by characters as people count them, and keeps the cursor where it is', async () => {
    const { type, terminal, screen } = start();
    type('a👩‍👩‍👧e\u0301你\u007f');
    type(`${ESC}[D${ESC}[D`);
    type('x');
    await soon(() => expect(terminal.cursor.column).toBe(7));
    type('\r');
    expect(await screen.nextLine()).toMatchObject({ text: 'ax👩‍👩‍👧e\u0301' });
  });

  it('keeps a typed text of many rows in the window, with the cursor in sight', async () => {
    const { type, terminal } = start(20, 12);
    type('0123456789'.repeat(30));
    await soon(() => expect(terminal.lines).toHaveLength(4));
    expect(terminal.window[11]).toBe('56789');
    expect(terminal.cursor).toEqual({ row: 11, column: 5 });
  });

  it('asks in the middle of a chat, gives back what was being typed, and shows no password', async () => {
    const { screen, type, terminal } = start();
    const heard: string[] = [];
    screen.on({ typed: (text) => heard.push(text) });
    void screen.nextLine();
    type('half a li');
    await shows(RULE, 'bob> half a li');
    const secret = screen.askSecret('Password:');
    const second = screen.ask('Why?');
    await shows(RULE, 'Password:');
    type('s3cret');
    screen.print('12:03  bob  hi');
    type('\r');
    expect(await secret).toBe('s3cret');
    type('because\r');
    expect(await second).toBe('because');
    await shows('12:03  bob  hi', 'Why? because', RULE, 'bob> half a li');
    type(`${ESC}[A`);
    await shows('12:03  bob  hi', 'Why? because', RULE, 'bob> half a li');
    expect(terminal.written).not.toContain('s3cret');
    expect(heard).toEqual(['half a li']);
  });

  it('takes what comes together with a command for the answers to its questions', async () => {
    const { screen, type, terminal } = start();
    const command = screen.nextLine();
    const answers = command.then(async () => [
      await screen.askSecret('Password:'),
      await screen.ask('Sure?'),
    ]);
    type('/password\rs3cret\ry\rhello\r');
    expect(await answers).toEqual(['s3cret', 'y']);
    expect(await screen.nextLine()).toMatchObject({ text: 'hello' });
    expect(terminal.written).not.toContain('s3cret');
  });

  it('shows an early answer with its question, which Enter gives', async () => {
    const { screen, type } = start();
    void screen.nextLine();
    type('y');
    await shows(RULE, 'bob> y');
    const answer = screen.ask('Sure?');
    await shows(RULE, 'Sure? y');
    type('\r');
    expect(await answer).toBe('y');
    await shows('Sure? y', RULE, 'bob>');
  });

  it('keeps what is typed between two questions for the second, while there are only questions', async () => {
    const { screen, type, terminal } = start();
    const name = screen.ask('Name:');
    type('ann\r');
    expect(await name).toBe('ann');
    type('s3c');
    await shows('Name: ann', RULE, 'bob> s3c');
    type('\r');
    const password = screen.askSecret('Password:');
    await shows('Name: ann', RULE, 'Password:');
    type('ret\r');
    expect(await password).toBe('s3cret');
    const line = screen.nextLine();
    type('hello\r');
    expect(await line).toMatchObject({ text: 'hello' });
    expect(terminal.written).not.toContain('s3cret');
  });

  it('takes a line that was entered a moment before lines are taken', async () => {
    const { screen, type } = start();
    const name = screen.ask('Name:');
    type('ann\r');
    expect(await name).toBe('ann');
    type('/chat bob\r');
    await shows('Name: ann', RULE, 'bob> /chat bob');
    expect(await screen.nextLine()).toMatchObject({ text: '/chat bob' });
  });

  it('shows a long question whole', async () => {
    const { screen, type } = start();
    const answer = screen.ask(
      'Is bob to be in the group Readers (y), or part of its title (n)? [y]',
    );
    type('no');
    await shows(RULE, 'Is bob to be in the group Readers', '(y), or part of its title (n)? [y] no');
    type('\r');
    expect(await answer).toBe('no');
  });

  it('gives a question up by Esc', async () => {
    const { screen, type } = start();
    const answer = screen.ask('Sure?');
    type(ESC);
    expect(await answer).toBeNull();
  });

  it('is drawn anew when the window has another size', async () => {
    const { screen, terminal, type } = start(40, 10);
    screen.print('one two three four five six seven eight nine ten');
    type('typed');
    await soon(() => expect(terminal.lines.at(-1)).toBe('bob> typed'));
    terminal.resize(24, 8);
    await soon(() =>
      expect(terminal.lines).toEqual([
        'one two three four five',
        'six seven eight nine ten',
        '─'.repeat(24),
        'bob> typed',
      ]),
    );
  });

  it('scrolls, and says that there is more below', async () => {
    const { screen, terminal, type } = start(60, 10);
    let tops = 0;
    screen.on({ top: () => tops++ });
    screen.print(...Array.from({ length: 30 }, (_, i) => `line ${i}`));
    await soon(() => expect(terminal.lines[7]).toBe('line 29'));
    expect(screen.looked).toBe(true);
    type(`${ESC}[5~`);
    await soon(() => expect(terminal.lines[7]).toBe('line 22'));
    expect(terminal.lines[8]).toContain('more below');
    expect(screen.looked).toBe(false);
    type(`${ESC}[5~`.repeat(4));
    await soon(() => expect(terminal.lines[0]).toBe('line 0'));
    expect(tops).toBeGreaterThan(0);
    type('x\r');
    await soon(() => expect(terminal.lines[7]).toBe('line 29'));
    expect(screen.looked).toBe(true);
  });

  it('knows by the terminal whether somebody looks, and rings once a second', async () => {
    const { screen, terminal, type } = start();
    let looks = 0;
    screen.on({ looks: () => looks++ });
    type(`${ESC}[O`);
    await soon(() => expect(looks).toBe(1));
    expect(screen.looked).toBe(false);
    screen.bell();
    screen.bell();
    await soon(() => expect(terminal.bells).toBe(1));
    type(`${ESC}[I`);
    await soon(() => expect(screen.looked).toBe(true));
    await soon(() => expect(terminal.lines.at(-1)).toBe('bob>'));
  });

  describe('a line that came back', () => {
    const comesBack = async (text: string) => {
      const { screen, terminal, type } = start(80);
      screen.giveBack(text);
      await soon(() => expect(terminal.lines.at(-1)).toBe(`bob> ${text}`));
      expect(terminal.lines[0]).toContain('Enter sends it, typing replaces it (↑ brings it back)');
      return { screen, terminal, type };
    };

    it('is nothing that the next line is written behind, and comes again by ↑', async () => {
      const { screen, terminal, type } = await comesBack('hello');
      expect(terminal.written).toContain(`${ESC}[2mhello${ESC}[22m`);
      type('/chat bob\r');
      expect(await screen.nextLine()).toEqual({ text: '/chat bob', literal: false });
      type(`${ESC}[A${ESC}[A\r`);
      expect(await screen.nextLine()).toEqual({ text: 'hello', literal: false });
    });

    it.each([
      ['Enter', '\r', 'hello'],
      ['a paste', `${paste('other')}\r`, 'other'],
      ['Backspace', '\u007fs\r', 'hells'],
      ['End', `${ESC}[F!\r`, 'hello!'],
      ['Home', `${ESC}[Hso \r`, 'so hello'],
    ])('is taken as by %s', async (_, keys, text) => {
      const { screen, type } = await comesBack('hello');
      type(keys);
      expect(await screen.nextLine()).toMatchObject({ text });
    });

    it('waits behind a question, as it was', async () => {
      const { screen, terminal, type } = await comesBack('hello');
      void screen.nextLine();
      const answer = screen.ask('Sure?');
      type('y\r');
      expect(await answer).toBe('y');
      await soon(() => expect(terminal.lines.at(-1)).toBe('bob> hello'));
      type('x');
      await soon(() => expect(terminal.lines.at(-1)).toBe('bob> x'));
    });

    it('of another chat comes by ↑ alone', async () => {
      const { screen, terminal, type } = start(80);
      screen.keep('hello');
      await soon(() =>
        expect(terminal.lines[0]).toContain('of another chat came back: ↑ brings it'),
      );
      expect(terminal.lines.at(-1)).toBe('bob>');
      type(`${ESC}[A`);
      await soon(() => expect(terminal.lines.at(-1)).toBe('bob> hello'));
    });

    it('does not get into what is being typed', async () => {
      const { screen, terminal, type } = start(80);
      type('half a li');
      await soon(() => expect(terminal.lines.at(-1)).toBe('bob> half a li'));
      screen.giveBack('hello');
      await soon(() => expect(terminal.lines[0]).toContain('a line came back: ↑ brings it'));
      type('ne');
      await soon(() => expect(terminal.lines.at(-1)).toBe('bob> half a line'));
      type(`${ESC}[A`);
      await soon(() => expect(terminal.lines.at(-1)).toBe('bob> hello'));
    });
  });

  it('completes what is typed, and names what it can be', async () => {
    const { screen, type, terminal } = start();
    screen.on({
      complete: (before) =>
        Promise.resolve(
          before === '/c'
            ? { start: 0, candidates: ['/chat ', '/clear ', '/contacts '] }
            : { start: 0, candidates: ['/chat '] },
        ),
    });
    type('/c\t');
    await soon(() => expect(terminal.lines[0]).toContain('/chat  /clear  /contacts'));
    type('h\t');
    await soon(() => expect(terminal.lines.at(-1)).toBe('bob> /chat'));
    type('x\r');
    expect(await screen.nextLine()).toMatchObject({ text: '/chat x' });
  });

  it.each([
    ['colours and cursor', `${ESC}[31m${ESC}[2J${ESC}[H`],
    ['title and clipboard', `${ESC}]0;x\u0007${ESC}]52;c;eA==\u0007`],
    ['C1 controls', '\u009b2J\u009d0;x\u009c'],
    ['questions to the terminal', `${ESC}[6n${ESC}[c${ESC}P$q"p${ESC}\\`],
    ['directions', '\u202eabc\u2066'],
  ])('lets no control sequence through to the terminal: %s', async (_, text) => {
    const { screen, terminal, type } = start();
    screen.print(`begin ${text} end`);
    screen.frame(() => ({ prompt: `${text}> `, left: [text], right: [text] }));
    type(paste(text));
    await soon(() => expect(terminal.written).toContain('begin'));
    const known = new RegExp(
      `${ESC}(?:\\[\\?(?:1049|7|2004|1004|1007|25)[hl]|\\[2J|\\[\\d+;1H|\\[2?K|\\[J|\\[(?:0|1|2|22|31|32|39)m|[78])`,
      'g',
    );
    const rest = terminal.written.replace(known, '');
    expect(rest).not.toMatch(/[^\P{Cc}\n]|[\u202a-\u202e\u2066-\u2069]/u);
    expect(terminal.written.split(`${ESC}[2J`)).toHaveLength(2);
  });

  it('hands on Ctrl-C whatever is asked, ends with Ctrl-D, and gives the terminal back', async () => {
    const { screen, keyboard, terminal, type, interrupts } = start();
    const line = screen.nextLine();
    const secret = screen.askSecret('Password:');
    expect(keyboard.raw).toBe(true);
    type('\u0003');
    await soon(() => expect(interrupts()).toBe(1));
    type('\u0004');
    expect([await line, await secret, await screen.ask('late')]).toEqual([null, null, null]);
    screen.farewell('Not sent yet: 1.');
    screen.close();
    expect(keyboard.raw).toBe(false);
    await soon(() => expect(terminal.emulator.buffer.active.type).toBe('normal'));
    await shows('Not sent yet: 1.');
  });
});

describe('pipe screen', () => {
  it('reads lines and prints plain text', async () => {
    const input = new PassThrough();
    const output = new PassThrough();
    const screen = new PipeScreen(input, output);
    input.end('one\ntwo');
    screen.print('a', 'b');
    screen.print();
    expect([await screen.nextLine(), await screen.ask('why?'), await screen.nextLine()]).toEqual([
      { text: 'one', literal: false },
      'two',
      null,
    ]);
    expect(written(output)).toBe('a\nb\nwhy?\n');
    screen.close();
  });

  it('loses no line of a long input', async () => {
    const input = new PassThrough();
    const screen = new PipeScreen(input, new PassThrough());
    const all = Array.from({ length: 5_000 }, (_, i) => `line ${i}`);
    input.end(all.join('\n'));
    const read: string[] = [];
    for (let line = await screen.nextLine(); line !== null; line = await screen.nextLine()) {
      read.push(line.text);
    }
    expect(read).toEqual(all);
  });
});
