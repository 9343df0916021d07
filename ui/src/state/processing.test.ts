import { describe, expect, it } from "vitest";
import { backgroundWords, isImpossible } from "./processing";

describe("a background", () => {
  it("is said to be shown only when it is, and why it is not", () => {
    const view = { chosen: "blur", isPending: false, problem: null } as const;
    expect(backgroundWords(view)).toBe("Only you are seen sharply.");
    expect(backgroundWords({ ...view, isPending: true })).toBe("It is being blurred…");
    expect(backgroundWords({ ...view, problem: "modelMissing" })).toContain("cargo xtask models");
    expect(backgroundWords({ ...view, problem: "tooSlow" })).toContain("too busy");
  });

  it("can be tried again where the computer was only too busy", () => {
    const view = { chosen: "blur", isPending: false } as const;
    expect(isImpossible({ ...view, problem: "modelMissing" })).toBe(true);
    expect(isImpossible({ ...view, problem: "tooSlow" })).toBe(false);
  });
});
