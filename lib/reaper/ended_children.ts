/** Exit codes of children that have ended already, which nobody can ask the system for again. */
export const endedChildren: Map<number, number> = new Map();
