/** The states and commands of Highwater's own entities, as JSON has them. A test holds them to what the wasm says. */

/** Whether something is about the current code, and what says so. */
export interface Causality {
  about: 'current' | 'earlier' | 'later' | 'concurrent';
  by: 'version' | 'clock' | 'hash';
}

/** What is wrong with some code: in words, or as a case that fails. */
export type Bug = string | { case: string; expected: string; got: string };

/** What a check of a task's code found. */
export interface QualityChecked {
  hash?: string;
  passed: boolean;
  cases: number;
  failed: number;
  addresses: string[];
}

/** How a `task` stands. */
export interface TaskState {
  phase: 'new' | 'specified' | 'planned' | 'written' | 'failing' | 'in_correction' | 'passed';
  requirement: string | null;
  plan: string[];
  code: { code: string; hash: string | null; version: number; clock: string; event: string } | null;
  pending_bugs: { report: string; bug: Bug; causality: Causality; is_urgent: boolean }[];
  /** The version that is being corrected. */
  in_correction: number | null;
  tests: number;
  quality: QualityChecked | null;
  dead_code: string[];
  interventions: number;
  reports_stale: number;
  reports_dropped: number;
}

/** What may be asked of a `task`. */
export type TaskCommand =
  | { type: 'gather_requirement'; data: { requirement: string } }
  | { type: 'plan'; data: { steps: string[] } }
  | { type: 'generate_code'; data: { task?: string; code: string; hash?: string } }
  | { type: 'generate_tests'; data: { count: number; tests?: string } }
  | { type: 'refine_code'; data: { code: string; hash?: string } }
  | { type: 'check_quality'; data: Pick<QualityChecked, 'passed'> & Partial<QualityChecked> }
  | { type: 'analyze_dead_code'; data: { unused: string[] } }
  | { type: 'report_bug'; data: { bug: Bug; hash?: string } }
  | { type: 'request_correction'; data: { reports?: string[]; reason?: string } }
  | { type: 'start_correction'; data?: { target_version?: number } }
  | { type: 'complete_correction'; data: { code: string; hash?: string; addresses?: string[] } }
  | { type: 'request_urgent_fix'; data: { reports: string[] } }
  | { type: 'intervene'; data: { note: string } };
