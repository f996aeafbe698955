/** Words that the published lists of leaked passwords are made of. */
const WORDS = `
  password passwort motdepasse contrasena senha parola qwerty qwertz azerty asdfgh zxcvbn qazwsx
  abc abcd abcdef letmein welcome willkommen bienvenue bienvenido hello admin administrator root user
  guest test testing tester login master secret changeme default monkey dragon tiger lion eagle falcon
  panther wolf bear shark horse kitty puppy football baseball basketball soccer hockey tennis golf
  iloveyou loveyou lovely love forever sunshine princess prince queen king flower rainbow butterfly
  angel angels heaven jesus christ summer winter spring autumn january february april august september
  october november december monday friday sunday shadow superman batman spiderman ironman starwars
  pokemon pikachu naruto minecraft fortnite computer internet google facebook instagram twitter
  linkedin youtube whatsapp samsung iphone android apple windows microsoft michael michelle jennifer
  jessica jordan ashley nicole daniel andrew joshua matthew robert thomas charlie hunter buster soccer
  killer trustno whatever freedom liverpool arsenal chelsea manchester barcelona realmadrid juventus
  ferrari porsche mercedes mustang corvette harley yamaha silver golden diamond cookie chocolate cheese
  banana orange pepper ginger coffee matrix hacker phoenix mercury london paris berlin madrid america
  canada england france germany australia family mother father brother sister babygirl babyboy hannah
  maggie bailey jasmine amanda samantha george william oliver maverick ranger merlin thunder lightning
  blink metallica nirvana slipknot eminem p@ssw0rd passw0rd access mypass mypassword newpass temp
  temporary service support manager office company business student teacher school college university
`
  .trim()
  .split(/\s+/);

/** What people add to a word when eight characters are asked for. */
const ENDINGS = (
  '1 2 3 7 9 01 07 10 11 12 13 21 22 23 69 77 88 99 00 007 111 123 321 666 777 1234 4321 12345 ' +
  '123456 1234567 12345678 123456789 ! !! 1! 12! 123! 1234! @1 @12 @123 #1 #123 _1 _123 .1 .123 ' +
  '2015 2016 2017 2018 2019 2020 2021 2022 2023 2024 2025 2026 2027'
).split(' ');

const WALKS = [
  '1234567890',
  '0987654321',
  'abcdefghijklmnopqrstuvwxyz',
  'qwertyuiop',
  'asdfghjkl',
  'zxcvbnm',
  'qwertzuiop',
  'azertyuiop',
  '1q2w3e4r5t6y7u8i',
  'q1w2e3r4t5y6u7i8',
  '1qaz2wsx3edc4rfv',
  'qazwsxedcrfvtgb',
  'zaq12wsxcde3',
  '1qazxsw23edc',
  '!qaz2wsx3edc',
  'aaaaaaaaa1',
  'asdfqwer1234',
  'qwerasdfzxcv',
  'a1b2c3d4e5f6',
  '1a2b3c4d5e6f',
  '147258369',
  '159357456',
  '741852963',
  '123654789',
  '112233445566',
  '111222333',
  '123123123',
  '123321123',
  '10203040',
  '13131313',
  '12121212',
  '69696969',
  '1g2w3e4r',
  'zaq1zaq1',
  'correcthorse',
  'correcthorsebatterystaple',
  'trustno1',
  'iloveyou',
  'whatever',
  'starwars',
  'sunshine',
];

const MIN_LENGTH = 8;

/** Digits and signs that stand for letters. */
const LEET: Readonly<Record<string, string>> = {
  '0': 'o',
  '1': 'i',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '@': 'a',
  $: 's',
};

function unleet(text: string): string {
  return text.replace(/[013457@$]/g, (c) => LEET[c] ?? c);
}

/** Both forms: as it is, and with the letters that its digits may stand for. */
function build(): ReadonlySet<string> {
  const all = new Set<string>();
  const add = (text: string): void => {
    if (text.length < MIN_LENGTH) return;
    all.add(text);
    all.add(unleet(text));
  };
  for (const word of WORDS) {
    add(word);
    add(word + word);
    for (const ending of ENDINGS) {
      add(word + ending);
    }
  }
  for (const walk of WALKS) {
    for (let start = 0; start + MIN_LENGTH <= walk.length; start++) {
      for (let end = start + MIN_LENGTH; end <= walk.length; end++) {
        add(walk.slice(start, end));
        add([...walk.slice(start, end)].reverse().join(''));
      }
    }
    add(walk);
  }
  return all;
}

const COMMON = build();

/** How many passwords the list refuses. */
export const COMMON_PASSWORDS = COMMON.size;

/** Whether a password is among the most common ones, whatever its case or its digits for letters. */
export function isCommonPassword(password: string): boolean {
  const lower = password.toLowerCase();
  if (COMMON.has(lower) || COMMON.has(unleet(lower))) return true;
  // One short piece over and over: aaaaaaaa, abcabcabc.
  return /^(.{1,3})\1+.{0,2}$/su.test(lower);
}
