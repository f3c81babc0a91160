package syncclient

import (
	"context"
	"errors"
	"os"
	"time"

	"gocyrus/lib/log"
	"gocyrus/lib/synclog"
)

// The shutdown file is looked for between rounds, and while nothing is logged after a
// time within these bounds.
const (
	idleWait = 100 * time.Millisecond
	pollMost = 5 * time.Second
)

// Rolling replicates what is logged as it is logged, until stop is closed or the
// shutdown file appears: what is being worked on then is finished first. A connection
// that is lost is made anew; what keeps failing is tried again less and less often,
// and stays in the log, while the rest goes on.
func (c *Client) Rolling(ctx context.Context) error {
	claim, err := c.claimChannel(ctx, true)
	if errors.Is(err, errStopped) {
		return nil
	}
	if err != nil {
		return err
	}
	defer claim.release()
	w := newWatcher(c.opt.Log, c.opt.Channel)
	defer w.close()
	c.goesOn = true
	defer c.slow.idle.Wait()
	p := newPatience()
	p.busy = c.slow.busy
	poll := min(max(c.opt.Interval, idleWait), pollMost)
	for again := true; !c.shutdown(); {
		if err := c.renew(ctx); err != nil {
			return ended(err)
		}
		if !again && !w.wait(ctx, c.stop, poll) {
			// Nothing, or the end of all waiting.
			c.idle()
			if ctx.Err() != nil {
				return nil
			}
			continue
		}
		began := time.Now()
		all, err := c.round(ctx, p)
		if ctx.Err() != nil {
			return nil
		}
		least := c.opt.Interval
		if err != nil {
			log.Err("Processing sync log file failed: %v", err)
			least = max(least, time.Second)
		}
		if !all {
			// What is left is in the log again, and is not to be tried all the time.
			least = max(least, idleWait)
		}
		// A log that could not be worked off is not one that a wait would find.
		again = err != nil
		if !c.pause(ctx, least-time.Since(began)) {
			return nil
		}
	}
	return nil
}

// idle notes that nothing waits.
func (c *Client) idle() {
	if err := synclog.MarkSuccess(c.opt.Log, c.opt.Channel); err != nil {
		log.Err("IOERROR: %v", err)
	}
}

// ended turns the end of waiting for a connection into the end of replication, which
// is no error.
func ended(err error) error {
	if errors.Is(err, ErrCompression) {
		return err
	}
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// shutdown says that it is time to end.
func (c *Client) shutdown() bool {
	if c.stopping() {
		return true
	}
	f := c.opt.ShutdownFile
	if f == "" {
		return false
	}
	if _, err := os.Stat(f); err != nil {
		return false
	}
	if err := os.Remove(f); err != nil {
		log.Err("IOERROR: %v", err)
	}
	return true
}

// renew sees to it that there is a connection, not too old a one.
func (c *Client) renew(ctx context.Context) error {
	if s := c.present(); s != nil && c.slow.none() && c.opt.SessionTime > 0 && time.Since(s.began) > c.opt.SessionTime {
		c.disconnect(ctx)
	}
	_, err := c.session(ctx)
	if err != nil && c.stopping() {
		return context.Canceled
	}
	return err
}

// present is the session there is, nil without.
func (c *Client) present() *session {
	c.connecting <- struct{}{}
	defer func() { <-c.connecting }()
	return c.current
}

// round works off one log; all says that there was one of which nothing is left. An
// error leaves the log to be worked off again; what fails by itself is put into the new
// log.
func (c *Client) round(ctx context.Context, p *patience) (all bool, err error) {
	t, err := synclog.Take(c.opt.Log, c.opt.Channel)
	if err != nil {
		return false, err
	}
	if t == nil {
		return false, synclog.MarkSuccess(c.opt.Log, c.opt.Channel)
	}
	b, err := t.Batch()
	if err != nil {
		return false, errors.Join(err, t.Leave())
	}
	rest := p.sift(b)
	tried := linesOf(b)
	left, failed := c.Run(ctx, b)
	if errors.Is(failed, ErrBroken) {
		return false, errors.Join(failed, t.Leave())
	}
	p.settle(tried, left.Failed)
	rest = append(append(rest, left.Deferred...), left.Failed...)
	if err := t.Requeue(rest...); err != nil {
		return false, errors.Join(err, t.Leave())
	}
	if err := t.Done(); err != nil {
		return false, err
	}
	if failed != nil {
		log.Err("Processing sync log file %s failed: %v", t.Path, failed)
	}
	if len(rest) == 0 {
		return true, synclog.MarkSuccess(c.opt.Log, c.opt.Channel)
	}
	return false, nil
}

// Once works off one log, or nothing when there is none. The error is lock.ErrBusy
// when another process works on the channel.
func (c *Client) Once(ctx context.Context) error {
	claim, err := c.claimChannel(ctx, false)
	if err != nil {
		return err
	}
	defer claim.release()
	if _, err := c.session(ctx); err != nil {
		return err
	}
	_, err = c.round(ctx, newPatience())
	return err
}
