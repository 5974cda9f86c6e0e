/** Values that are alike by their JSON get one number, from 0 in the order in which they came. Values must never change. */
export class Interner<Value> {
  readonly #values: Value[] = [];
  readonly #numbers = new Map<string, number>();

  /** `first` gets number 0: what "none" is. */
  constructor(first: Value) {
    this.numberOf(first);
  }

  numberOf(value: Value): number {
    const key = JSON.stringify(value);
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#values.push(value) - 1;
      // A state has 16 bits for each number.
      if (number > 0xffff) throw new RangeError('more than 65,536 different values of one kind: choose smaller bounds');
      this.#numbers.set(key, number);
    }
    return number;
  }

  valueOf(number: number): Value {
    const value = this.#values[number];
    if (value === undefined) throw new RangeError(`no value has number ${number}`);
    return value;
  }

  get count(): number {
    return this.#values.length;
  }
}

/** Remembers what a pure function made of each key: the real code runs once for each question, not once for each state. */
export class Memo<Answer> {
  readonly #answers = new Map<string | number, Answer>();

  get(key: string | number, make: () => Answer): Answer {
    let answer = this.#answers.get(key);
    if (answer === undefined) {
      answer = make();
      this.#answers.set(key, answer);
    }
    return answer;
  }
}
