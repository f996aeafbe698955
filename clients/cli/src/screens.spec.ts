import { PassThrough } from 'node:stream';
import { ESC, openTerminal as open, tick } from '../testing/fake-terminal';
import { completeCommand } from './help';
import { PipeScreen } from './pipe-screen';

describe('terminal screen', () => {
  it('prints above the line that is being typed', async () => {
    const { screen, terminal, type } = open();
    screen.setPrompt([], 'bob> ');
    const line = screen.nextLine();
    await type('hello wo');
    screen.print('12:03  bob  hi');
    await type('rld');
    expect(terminal.lines).toEqual(['12:03  bob  hi', 'bob> hello world']);
    await type('\r');
    expect(await line).toBe('hello world');
    expect(terminal.lines).toEqual(['12:03  bob  hi', 'bob>']);
    screen.close();
  });

  it('tells what is being typed, but no passwords', async () => {
    const { screen, type } = open();
    const lines: string[] = [];
    screen.onInput((line) => lines.push(line));
    await type('x');
    screen.setPrompt([], 'bob> ');
    void screen.nextLine();
    await type('\u007fhi');
    await type('\r');
    void screen.askSecret('Password?');
    await type('secret\r');
    expect(lines).toEqual(['', 'h', 'hi', '']);
    screen.close();
    await type('late');
    expect(lines).toHaveLength(4);
  });

  it('keeps a typed line of several rows whole', async () => {
    const { screen, terminal, type } = open(20);
    screen.setPrompt([], 'bob> ');
    void screen.nextLine();
    await type('0123456789 0123456789 0123456789');
    screen.print('first', 'second');
    await type('!');
    expect(terminal.lines).toEqual([
      'first',
      'second',
      'bob> 0123456789 0123',
      '456789 0123456789!',
    ]);
    await type('\r');
    expect(terminal.lines).toEqual(['first', 'second', 'bob>', ''].slice(0, terminal.lines.length));
    screen.close();
  });

  it('draws the footer above the prompt and takes it away again', async () => {
    const { screen, terminal, type } = open();
    screen.setPrompt(['· waiting'], 'bob> ');
    void screen.nextLine();
    await type('typed');
    expect(terminal.lines).toEqual(['· waiting', 'bob> typed']);
    screen.setPrompt([], 'bob> ');
    screen.print('sent');
    await tick();
    expect(terminal.lines).toEqual(['sent', 'bob> typed']);
    screen.close();
  });

  it('draws the prompt once however often it is asked for lines', async () => {
    const { screen, terminal, type } = open();
    screen.setPrompt([], 'bob> ');
    void screen.nextLine();
    await type('one\r');
    screen.setPrompt(['· one'], 'bob> ');
    void screen.nextLine();
    screen.setPrompt([], 'bob> ');
    screen.print('✓ one');
    expect(terminal.lines).toEqual(['✓ one', 'bob>']);
    screen.close();
  });

  it('is drawn anew with other lines, and keeps what is being typed', async () => {
    const { screen, terminal, type } = open();
    screen.setPrompt(['· waiting'], 'bob> ');
    void screen.nextLine();
    screen.print('12:03  bob  secret', '12:04  bob  stays');
    await type('typed');
    screen.redraw(['12:04  bob  stays']);
    expect(terminal.lines).toEqual(['12:04  bob  stays', '· waiting', 'bob> typed']);
    await type('!');
    expect(terminal.lines.at(-1)).toBe('bob> typed!');
    screen.close();
  });

  it('is drawn anew after a password, when that is due meanwhile', async () => {
    const { screen, terminal, type } = open();
    screen.setPrompt([], 'bob> ');
    void screen.nextLine();
    screen.print('12:03  bob  secret');
    const secret = screen.askSecret('Password:');
    screen.print('12:04  bob  another');
    screen.redraw(['12:05  bob  stays']);
    screen.print('12:06  bob  new');
    await type('s3cret\r');
    expect(await secret).toBe('s3cret');
    expect(terminal.lines).toEqual(['12:05  bob  stays', '12:06  bob  new', 'bob>']);
    screen.close();
  });

  it('shows nothing of a password, nor keeps it in the history of lines', async () => {
    const { screen, terminal, type } = open();
    const secret = screen.askSecret('Password:');
    await type('s3cret\r');
    expect(await secret).toBe('s3cret');
    screen.setPrompt([], '> ');
    void screen.nextLine();
    await type(`${ESC}[A`);
    expect(terminal.lines.join('\n')).not.toContain('s3cret');
    screen.close();
  });

  it('asks for a password in the middle of a chat, and keeps what arrives meanwhile', async () => {
    const { screen, terminal, type } = open();
    screen.setPrompt([], 'bob> ');
    const line = screen.nextLine();
    await type('/password\r');
    expect(await line).toBe('/password');
    const secret = screen.askSecret('Current password:');
    await type('s3c');
    screen.print('12:03  bob  hi');
    screen.setPrompt([], 'ann> ');
    await type('ret\r');
    expect(await secret).toBe('s3cret');
    expect(terminal.lines).toEqual(['Current password:', '12:03  bob  hi', 'ann>']);
    const next = screen.nextLine();
    await type('on\r');
    expect(await next).toBe('on');
    screen.close();
  });

  it('leaves question and answer on the screen', async () => {
    const { screen, terminal, type } = open();
    const answer = screen.ask('User name:');
    await type('ann\r');
    expect(await answer).toBe('ann');
    expect(terminal.lines[0]).toBe('User name: ann');
    screen.close();
  });

  it('takes lines that come faster than they are asked for', async () => {
    const { screen, type } = open();
    screen.setPrompt([], '> ');
    const first = screen.nextLine();
    await type('one\rtwo\rthree\r');
    expect([await first, await screen.nextLine(), await screen.nextLine()]).toEqual([
      'one',
      'two',
      'three',
    ]);
    screen.close();
    expect(await screen.nextLine()).toBeNull();
  });

  it('hands on Ctrl-C, ends with Ctrl-D, and gives the terminal back', async () => {
    const { screen, keyboard, type, interrupts } = open();
    const line = screen.nextLine();
    expect(keyboard.raw).toBe(true);
    await type('\u0003');
    expect(interrupts()).toBe(1);
    await type('\u0004');
    expect(await line).toBeNull();
    expect(keyboard.raw).toBe(false);
    screen.close();
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
      'one',
      'two',
      null,
    ]);
    expect((output.read() as Buffer).toString()).toBe('a\nb\nwhy?\n');
    screen.close();
  });

  it('loses no line of a long input', async () => {
    const input = new PassThrough();
    const screen = new PipeScreen(input, new PassThrough());
    const all = Array.from({ length: 5_000 }, (_, i) => `line ${i}`);
    input.end(all.join('\n'));
    const read: string[] = [];
    for (let line = await screen.nextLine(); line !== null; line = await screen.nextLine()) {
      read.push(line);
    }
    expect(read).toEqual(all);
  });
});

it.each([
  ['/ch', ['/chat ']],
  ['/h', ['/help ', '/history ']],
  ['hello', []],
])('completes %s', (line, hits) => expect(completeCommand(line)).toEqual([hits, line]));
