/**
 * Vibration of a rolling bearing as an accelerometer on its housing sees it: healthy, with a pit in a race, or on an
 * unbalanced shaft. Every window is another machine, speed, load and noise. The same generator state gives the same signal.
 *
 * Fault frequencies are the standard bearing kinematics (pure rolling, inner race turning), and a fault is a train of
 * impacts that ring a structural resonance, the inner race's weighted by the load zone it passes through:
 *   R. B. Randall, J. Antoni, "Rolling element bearing diagnostics: a tutorial", Mech. Syst. Signal Process. 25(2), 2011;
 *   P. D. McFadden, J. D. Smith, "Model for the vibration produced by a single point defect in a rolling element bearing",
 *   J. Sound Vib. 96(1), 1984 (load zone: Stribeck's distribution).
 */
import type { Random } from '../../tuner/random.ts';

/** Label -> name; the order of the network's outputs. */
export const classes = ['healthy', 'inner', 'outer', 'imbalance'] as const;

export interface Example {
  /** Acceleration in g, `windowLength` samples. */
  readonly signal: Float64Array;
  /** Position in `classes`. */
  readonly label: number;
}

/** Samples a second. */
export const sampleRate = 8000;
/** Samples a window: 128 ms, three to four turns of the shaft. */
export const windowLength = 1024;
/** Largest acceleration that the sensor shows, in g; beyond it clips. */
export const fullScale = 4;

export interface Bearing {
  readonly balls: number;
  readonly ballDiameter: number;
  readonly pitchDiameter: number;
  /** In radians. */
  readonly contactAngle: number;
}
/** A common deep-groove ball bearing with a 25 mm bore (size 6205); millimetres. */
export const bearing: Bearing = { balls: 9, ballDiameter: 7.94, pitchDiameter: 39.04, contactAngle: 0 };

/** Balls that pass a point of each race in a second, for a shaft that turns `shaft` times a second. */
export function faultFrequencies(b: Bearing, shaft: number): { readonly inner: number; readonly outer: number } {
  const ratio = (b.ballDiameter / b.pitchDiameter) * Math.cos(b.contactAngle);
  return { inner: (b.balls / 2) * shaft * (1 + ratio), outer: (b.balls / 2) * shaft * (1 - ratio) };
}

/** What differs from one machine and moment to the next. */
interface Machine {
  /** Turns a second. */
  readonly shaft: number;
  /** Share of the nominal load. */
  readonly load: number;
  /** Hz, and its damping ratio. */
  readonly resonance: number;
  readonly damping: number;
  /** Standard deviation of the sensor's and the surroundings' noise, in g. */
  readonly noise: number;
}
const machine = (random: Random): Machine => ({
  shaft: between(random, 24, 33),
  load: between(random, 0.5, 1),
  resonance: between(random, 2000, 3200),
  damping: between(random, 0.03, 0.08),
  noise: 0.05 * 3 ** random.next(),
});

const turn = 2 * Math.PI;
const between = (random: Random, low: number, high: number): number => low + (high - low) * random.next();
/** Standard normal (Box and Muller). */
export const normal = (random: Random): number =>
  Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(turn * random.next());

/** `count` windows, the classes in turn. */
export function examples(random: Random, count: number): readonly Example[] {
  return Array.from({ length: count }, (_, i) => {
    const label = i % classes.length;
    return { label, signal: vibration(random, classes[label] as (typeof classes)[number]) };
  });
}

/** One window of a machine in the given state. */
export function vibration(random: Random, state: (typeof classes)[number]): Float64Array {
  const m = machine(random);
  const signal = Float64Array.from({ length: windowLength }, () => m.noise * normal(random));
  // No rotor is perfectly balanced, none perfectly aligned: some 1x and 2x is in every signal.
  const eccentricity = state === 'imbalance' ? between(random, 0.16, 0.7) : between(random, 0.01, 0.14);
  addTone(signal, m.shaft, eccentricity * (m.shaft / 30) ** 2, random);
  addTone(signal, 2 * m.shaft, between(random, 0, 0.08), random);
  addKnocks(signal, m, random);
  if (state === 'inner' || state === 'outer') addFault(signal, m, state, random);
  return signal.map(clip);
}

/** What the sensor shows of an acceleration. */
export const clip = (g: number): number => Math.max(-fullScale, Math.min(fullScale, g));

/** A sine of random phase. The force of an eccentric mass grows with the square of the speed. */
function addTone(signal: Float64Array, frequency: number, amplitude: number, random: Random): void {
  const phase = turn * random.next();
  for (let i = 0; i < signal.length; i++)
    signal[i] = (signal[i] as number) + amplitude * Math.sin((turn * frequency * i) / sampleRate + phase);
}

/** Up to two impacts from elsewhere: an impulse alone is no fault, only its rhythm is. */
function addKnocks(signal: Float64Array, m: Machine, random: Random): void {
  for (let n = random.below(3); n > 0; n--)
    addRing(signal, m, (random.next() * windowLength) / sampleRate, between(random, 0.2, 1.2));
}

/** One impact each time a ball passes the pit; the balls slip, so intervals vary by about a percent. */
function addFault(signal: Float64Array, m: Machine, race: 'inner' | 'outer', random: Random): void {
  const interval = 1 / faultFrequencies(bearing, m.shaft)[race];
  const severity = m.load * between(random, 0.5, 1.6);
  const angle = turn * random.next();
  let time = -interval * (1 + random.next());
  while (time < windowLength / sampleRate) {
    // An outer pit stays where the load is; an inner one turns with the shaft through the load zone.
    const force = race === 'outer' ? 1 : loadAt(turn * m.shaft * time + angle);
    addRing(signal, m, time, severity * force * (1 + 0.15 * normal(random)));
    time += interval * (1 + 0.01 * normal(random));
  }
}

/** Stribeck's load distribution, 1 at the centre of the zone; 0.45 is a bearing with a little clearance. */
function loadAt(angle: number): number {
  const zone = 0.45;
  return Math.max(0, 1 - (1 - Math.cos(angle)) / (2 * zone)) ** 1.5;
}

/** The housing's answer to an impact at `time` seconds: a decaying sine. */
function addRing(signal: Float64Array, m: Machine, time: number, amplitude: number): void {
  const omega = turn * m.resonance;
  const decay = m.damping * omega;
  const damped = omega * Math.sqrt(1 - m.damping ** 2);
  const last = Math.min(signal.length - 1, Math.floor((time + 7 / decay) * sampleRate));
  for (let i = Math.max(0, Math.ceil(time * sampleRate)); i <= last; i++) {
    const t = i / sampleRate - time;
    signal[i] = (signal[i] as number) + amplitude * Math.exp(-decay * t) * Math.sin(damped * t);
  }
}
