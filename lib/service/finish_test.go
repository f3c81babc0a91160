package service

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestFinish: a command outlives the end of its session's context, for a while.
func TestFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		ctx, stop := context.WithCancel(context.WithValue(t.Context(), key{}, "v"))
		work, cancel := Finish(ctx)
		defer cancel()
		if work.Value(key{}) != "v" {
			t.Error("values are lost")
		}
		stop()
		time.Sleep(grace - time.Millisecond)
		synctest.Wait()
		if err := work.Err(); err != nil {
			t.Errorf("before the grace is over: %v", err)
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if work.Err() == nil {
			t.Error("work goes on for ever")
		}
	})
}

// TestFinishCancel: a session that ends, before or after SIGTERM, leaves no timer.
func TestFinishCancel(t *testing.T) {
	for _, stopped := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			work, cancel := Finish(ctx)
			if stopped {
				stop()
			}
			cancel()
			if work.Err() == nil {
				t.Error("work goes on")
			}
		})
	}
}
