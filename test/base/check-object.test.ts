import t from 'tap';
import { checkObject, checkOptions } from '../../lib/base/check-object.js';

t.test('an object is returned as it is', async (t) => {
  const value = { daily: 7 };
  t.equal(checkObject('options', value), value);
  t.equal(checkOptions('options', value, ['daily', 'weekly']), value);
});

t.test('anything else is refused by the name of the option', async (t) => {
  for (const [value, words] of [
    [null, 'null'],
    [undefined, 'undefined'],
    [['daily'], 'an array'],
    ['daily', 'the string "daily"'],
    [() => 7, 'a function'],
  ] as const) {
    const message = `drill must be an object, not ${words}`;
    t.throws(() => checkObject('drill', value as never), { name: 'TypeError', code: 'INVALID_OPTION', message });
    t.throws(() => checkOptions('drill', value as never, []), { name: 'TypeError', code: 'INVALID_OPTION', message });
  }
  t.throws(() => checkOptions('drill', 7 as never, [], 'an object such as { sample: 1 }'), {
    message: 'drill must be an object such as { sample: 1 }, not 7',
  });
});

t.test('an unknown name is refused, with the option that contains it', async (t) => {
  const code = 'INVALID_OPTION';
  t.throws(() => checkOptions('options', { dayly: 7 }, ['daily']), {
    code,
    message: 'there is no option "dayly"; did you mean "daily"?',
  });
  t.throws(() => checkOptions('retention', { dayly: 7 }, ['daily']), {
    code,
    message: 'there is no option "retention.dayly"; did you mean "retention.daily"?',
  });
});
