// Package smtpwire holds what SMTP, LMTP and POP3 have in common on the wire:
// lines, addresses of an envelope, parameters of MAIL and RCPT, and text that
// ends with a dot on a line of its own.
//
// The package knows no command and no reply.
package smtpwire
