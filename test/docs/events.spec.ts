import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EVENT_TYPES } from '@tidings/common/log-events/events';
import { deadLetterTopic, GROUPS, topicSpecs } from '@tidings/common/log-events/topics';
import { eventsPage, listedGroups } from '../../tools/events/page';

const page = readFileSync(join(__dirname, '../../docs/EVENTS.md'), 'utf8');

describe('docs/EVENTS.md', () => {
  it('is what the code says (npm run docs writes it)', () => expect(page).toBe(eventsPage()));

  it('has every event and every topic', () => {
    const topics = topicSpecs({ partitions: 1, replication: 1, minInsyncReplicas: 1 });
    const names = topics.map(({ name }) => name).filter((name) => !name.endsWith('.dlq'));
    for (const name of [...names, ...Object.values(EVENT_TYPES)]) {
      expect(page).toContain(name);
    }
  });

  it('has every consumer group, at the topic whose dead letters it has', () => {
    const listed = listedGroups();
    expect(listed.map(({ group }) => group).sort()).toEqual(Object.values(GROUPS).sort());
    const possible = new Set(listed.map(({ topic, group }) => deadLetterTopic(topic, group)));
    const made = topicSpecs({ partitions: 1, replication: 1, minInsyncReplicas: 1 });
    const dead = made.map(({ name }) => name).filter((name) => name.endsWith('.dlq'));
    expect(dead.filter((name) => !possible.has(name))).toEqual([]);
  });

  it('names the file where each consumer group reads', () => {
    for (const { group, file } of listedGroups()) {
      const name = Object.keys(GROUPS).find((key) => GROUPS[key as keyof typeof GROUPS] === group)!;
      const text = readFileSync(join(__dirname, '../..', file), 'utf8');
      expect({ file, reads: text.includes(`GROUPS.${name}`) }).toEqual({ file, reads: true });
    }
  });

  it('says of every event what happened', () => {
    const sections = page.split('\n### ').slice(1);
    expect(sections).toHaveLength(Object.keys(EVENT_TYPES).length);
    for (const section of sections) expect(section.split('\n')[2]).toMatch(/^[A-Z].*\.$/);
  });
});
