// Play, pause, step, jump, speed: where in the run the page is. It knows nothing of what is shown.

export const SPEEDS = [2, 5, 10, 30, 60, 200, 1000];
const START_SPEED = 10;
/** After a longer pause between two frames (a hidden tab) the run goes on where it was. */
const LONGEST_FRAME_MS = 250;

export class Player {
  moment = 0;
  total = 0;
  speed = START_SPEED;
  playing = false;
  private last = 0;
  private owed = 0;

  constructor(private readonly changed: () => void) {}

  /** Stands before the first moment of a run of `total`, or at `moment`. */
  open(total: number, moment = 0): void {
    this.playing = false;
    this.total = total;
    this.moment = Math.min(moment, total);
    this.changed();
  }

  /** Goes to a moment, which pauses. */
  seek(moment: number): void {
    this.playing = false;
    this.moment = Math.min(this.total, Math.max(0, Math.round(moment) || 0));
    this.changed();
  }

  toggle(): void {
    if (this.playing) {
      this.playing = false;
    } else {
      if (this.moment >= this.total) this.moment = 0;
      this.playing = true;
      this.owed = 0;
      this.last = performance.now();
      requestAnimationFrame((now) => this.frame(now));
    }
    this.changed();
  }

  private frame(now: number): void {
    if (!this.playing) return;
    this.owed += (Math.min(LONGEST_FRAME_MS, Math.max(0, now - this.last)) / 1000) * this.speed;
    this.last = now;
    const steps = Math.floor(this.owed);
    if (steps > 0) {
      this.owed -= steps;
      this.moment = Math.min(this.total, this.moment + steps);
      if (this.moment === this.total) this.playing = false;
      this.changed();
    }
    if (this.playing) requestAnimationFrame((next) => this.frame(next));
  }
}
