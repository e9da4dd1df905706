/**
 * A person's own undo over registers. Y.UndoManager deletes what it undoes, and a deleted key leaves no version behind,
 * so a change could vanish without a trace; this one writes the former value (or null) as one more ordinary edit.
 *
 * Once somebody else has written a register, undoing would overwrite what they set: such a register is left out.
 */
import type { Value } from "./values";

export interface RegisterChange {
  readonly document: string;
  readonly root: string;
  readonly key: string;
  readonly before: Value;
  readonly after: Value;
}

export interface UndoStep {
  readonly label: string;
  readonly changes: readonly RegisterChange[];
}

export interface UndoStacks {
  readonly undo: readonly UndoStep[];
  readonly redo: readonly UndoStep[];
}

const STEPS_MAX = 500;

export const noSteps: UndoStacks = { undo: [], redo: [] };

export function did(stacks: UndoStacks, step: UndoStep): UndoStacks {
  return step.changes.length === 0 ? stacks : { undo: [...stacks.undo, step].slice(-STEPS_MAX), redo: [] };
}

/** Somebody else wrote these registers. Steps left with nothing to do go. */
export function othersWrote(stacks: UndoStacks, root: string, keys: ReadonlySet<string>): UndoStacks {
  const touches = (step: UndoStep): boolean => step.changes.some((c) => c.root === root && keys.has(c.key));
  if (!stacks.undo.some(touches) && !stacks.redo.some(touches)) return stacks;
  const without = (steps: readonly UndoStep[]): UndoStep[] =>
    steps
      .map((step) => ({ ...step, changes: step.changes.filter((c) => c.root !== root || !keys.has(c.key)) }))
      .filter((step) => step.changes.length > 0);
  return { undo: without(stacks.undo), redo: without(stacks.redo) };
}

/** The step to take back and the stacks afterwards; null when there is none. */
export function takeBack(stacks: UndoStacks): { step: UndoStep; stacks: UndoStacks } | null {
  const step = stacks.undo.at(-1);
  if (step === undefined) return null;
  return { step: reversed(step), stacks: { undo: stacks.undo.slice(0, -1), redo: [...stacks.redo, step] } };
}

export function doAgain(stacks: UndoStacks): { step: UndoStep; stacks: UndoStacks } | null {
  const step = stacks.redo.at(-1);
  if (step === undefined) return null;
  return { step, stacks: { undo: [...stacks.undo, step], redo: stacks.redo.slice(0, -1) } };
}

function reversed(step: UndoStep): UndoStep {
  const changes = step.changes.map((c) => ({ ...c, before: c.after, after: c.before })).reverse();
  return { label: step.label, changes };
}
