import type { Report } from "./messages.ts";

/** Starts the threads, and waits until they have read their program. */
export async function startWorkers(count: number): Promise<Worker[]> {
  return await Promise.all(Array.from({ length: count }, startWorker));
}

function startWorker(): Promise<Worker> {
  const worker = new Worker(import.meta.resolve("./worker.ts"), { type: "module" });
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<Report>) => {
      if (data.loaded) resolve(worker);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(`a thread could not be started: ${event.message}`));
    };
  });
}
