/** The person ended the input instead of answering. */
export class Cancelled extends Error {
  constructor() {
    super('The input ended');
    this.name = 'Cancelled';
  }
}
