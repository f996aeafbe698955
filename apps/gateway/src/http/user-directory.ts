/** How people may be found: by the beginning of a name (`search`), or all of them, too (`list`). */
export type UserDirectoryMode = 'search' | 'list';

/** What the operator allows; announced as `users` in `GET /v1`. */
export class UserDirectory {
  constructor(readonly mode: UserDirectoryMode) {}

  /** Whether everybody may be listed. */
  get listing(): boolean {
    return this.mode === 'list';
  }
}
