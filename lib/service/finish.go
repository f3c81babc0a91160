package service

import (
	"context"
	"time"
)

// grace is how long after SIGTERM a command may go on.
const grace = 10 * time.Second

// Finish makes, of the context that Serve gets, the one for what a session's
// commands do: it has the same values and ends later. A command that is under way
// when SIGTERM comes is to be done and answered, since one that is broken off
// after it has changed something would be answered with an error; but one that
// waits for something that does not come must not keep the process for ever.
// The session looks at ctx between its commands.
func Finish(ctx context.Context) (work context.Context, cancel context.CancelFunc) {
	work, end := context.WithCancel(context.WithoutCancel(ctx))
	var late *time.Timer
	armed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		late = time.AfterFunc(grace, end)
		close(armed)
	})
	return work, func() {
		if !stop() {
			<-armed
			late.Stop()
		}
		end()
	}
}
