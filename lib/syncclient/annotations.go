package syncclient

import (
	"bytes"
	"context"
	"slices"

	"gocyrus/lib/annotate"
	"gocyrus/lib/csync"
	"gocyrus/lib/mboxname"
)

// annotations brings the annotations of the server, when name is empty, or those of a
// mailbox.
func (c *Client) annotations(ctx context.Context, s *session, name mboxname.Name) error {
	here, err := c.annotationsOf(name)
	if err != nil {
		return err
	}
	there, err := s.getAnnotations(ctx, name)
	if err != nil {
		return err
	}
	var jobs []*pending
	for _, r := range there {
		if !slices.ContainsFunc(here, func(a csync.Annotation) bool { return a.Entry == r.Entry && a.UserID == r.UserID }) {
			c.progress("UNANNOTATION %s %s %s", name, r.Entry, r.UserID)
			gone := csync.MailboxAnnotation{Name: name, Entry: r.Entry, UserID: r.UserID}
			jobs = append(jobs, s.start("UNANNOTATION", gone.Append(nil, client)))
		}
	}
	for _, a := range here {
		if slices.ContainsFunc(there, func(r *csync.MailboxAnnotation) bool {
			return a.Entry == r.Entry && a.UserID == r.UserID && bytes.Equal(a.Value, r.Value)
		}) {
			continue
		}
		c.progress("ANNOTATION %s %s %s", name, a.Entry, a.UserID)
		w := csync.MailboxAnnotation{Name: name, Entry: a.Entry, UserID: a.UserID, Value: a.Value, HasValue: true}
		jobs = append(jobs, s.start("ANNOTATION", w.Append(nil, client)))
	}
	return waitAll(ctx, jobs)
}

func (c *Client) annotationsOf(name mboxname.Name) ([]csync.Annotation, error) {
	if name == "" {
		return c.reader.MailboxAnnotations(annotate.Server, "")
	}
	e, err := c.entry(name)
	if err != nil || e == nil {
		return nil, err
	}
	return c.reader.MailboxAnnotations(e.UniqueID, e.Name.Owner())
}
