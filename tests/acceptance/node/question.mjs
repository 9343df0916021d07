// What the test asks, from the standard input; the answer to the standard output.
import { readFileSync } from "node:fs";

export const question = JSON.parse(readFileSync(0, "utf8"));
export const answer = (told) => console.log(JSON.stringify(told));
