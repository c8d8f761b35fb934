import { Failure } from "../failure.ts";

/** Whoever waited for somebody to take over is gone, or only about to be there: ask again. */
export class NobodyThere extends Failure {}
