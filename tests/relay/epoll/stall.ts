/** What has a thread stand still that has read it; it says so first (see stalling_worker.ts). */
export const STALL = "z";

/** For how long, in milliseconds. */
export const STALLED = 2000;
