package drain

import (
	"context"
	"time"

	"gocyrus/lib/mboxlist"
)

// look is between two looks at the list.
const look = 200 * time.Millisecond

// Settle waits until no mailbox of the list is on its way any more, for limit at most: moves
// that are decided are ended by package xfer, as soon as the other servers let it. It returns
// how many mailboxes still are.
func Settle(ctx context.Context, list *mboxlist.List, limit time.Duration) (left int, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		if left, err = moving(list); left == 0 || err != nil {
			return left, err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return left, nil
		}
	}
}

func moving(list *mboxlist.List) (n int, err error) {
	err = list.Scan("", func(v mboxlist.View) error {
		if v.Is(mboxlist.FlagMoving) {
			n++
		}
		return nil
	})
	return n, err
}
