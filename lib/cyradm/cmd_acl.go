package cyradm

import (
	"errors"
	"fmt"
)

func listACL(c *call) error {
	if !isPattern(c.args[0]) {
		return c.showACL(c.args[0], "")
	}
	boxes, err := c.admin().List(c.args[0], "", ListOptions{})
	if err != nil {
		return err
	}
	for _, b := range boxes {
		if !b.selectable() {
			continue
		}
		c.printf("%s:\n", b.Name)
		err := c.showACL(b.Name, "  ")
		if errors.Is(err, ErrLost) {
			return err
		}
		if err != nil {
			c.flush()
			fmt.Fprintln(c.errOut, err)
		}
	}
	return nil
}

func (c *call) showACL(mailbox, indent string) error {
	grants, err := c.admin().ACL(mailbox)
	if err != nil {
		return err
	}
	for _, g := range grants {
		if g.Rights == "" {
			g.Rights = `""` // as it came
		}
		c.printf("%s%s %s\n", indent, g.ID, g.Rights)
	}
	return nil
}

func setACL(c *call) error {
	ids := c.args[1:]
	if len(ids)%2 != 0 {
		return find("setaclmailbox").usageError()
	}
	var grants []Grant
	for ; len(ids) > 0; ids = ids[2:] {
		grants = append(grants, Grant{ids[0], ids[1]})
	}
	return c.each("setaclmailbox", "Setting ACL on", func(mailbox string) error {
		return c.admin().SetACL(mailbox, grants)
	})
}

func deleteACL(c *call) error {
	return c.each("deleteaclmailbox", "Deleting acl on", func(mailbox string) error {
		return c.admin().DeleteACL(mailbox, c.args[1:])
	})
}
