// Package hostile sets clients on a whole server that mean it no good: they
// send garbage and floods, stop in the middle, read nothing, nest a hundred
// thousand deep. Each may cost its own session and no more: others are answered
// meanwhile, the process stays small and does not crash.
package hostile
