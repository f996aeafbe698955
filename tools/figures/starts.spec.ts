import { serversIn, stepsIn } from './starts';

describe('a start is read', () => {
  it('from the metrics of a service', () => {
    const page = `# TYPE tidings_start_step_seconds gauge
tidings_start_step_seconds{step="program",service="session",node="session-1"} 0.4123
tidings_start_step_seconds{service="session",node="session-1",step="ready"} 1.5
tidings_other_seconds{step="x"} 9
`;
    expect(stepsIn(page)).toEqual({ program: 412, ready: 1500 });
  });

  it('from what npm start says', () => {
    const output = `Starting Tidings …
  Redis is up (0.4 s)
  Kafka is up (3.2 s)
  Tables and topics are in place (1.1 s)
  gateway-1 is ready at http://127.0.0.1:8080
`;
    expect(serversIn(output)).toEqual({
      Redis: { up: 400 },
      Kafka: { up: 3200 },
      prepare: { 'tables and topics': 1100 },
    });
  });
});
