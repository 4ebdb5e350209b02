package app

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"vestibule/app/mail"
	"vestibule/models"
)

// How many mails a process sends at once. No kind of slow mail may take all connections:
// not that of one domain, not what waits for another attempt, not notices and invitations.
const (
	mailConns    = 8
	domainConns  = 4
	retryConns   = 4
	patientConns = 6
)

// mailPoll is how often an empty mail queue is checked.
const mailPoll = time.Second

// sendMail delivers the queue until ctx ends. Any number of processes may run it: each
// mail is claimed by one.
func (a *App) sendMail(ctx context.Context) {
	// A delivery must finish once started, or the next process would send it again.
	detached := context.WithoutCancel(ctx)
	q := &mailQueue{conns: mailConns, ended: make(chan struct{}, 1)}
	if a.outbox != nil {
		q.conns = 1 // a developer sees mail in order
	}
	var group sync.WaitGroup
	for ctx.Err() == nil {
		m, err := a.claimMail(ctx, q)
		if err == nil {
			group.Go(func() { q.finish(m, a.deliver(detached, q, m)) })
			continue
		}
		if !errors.Is(err, models.ErrNotFound) && ctx.Err() == nil {
			a.Log.Error("mail queue not read", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-q.ended:
		case <-time.After(mailPoll):
		}
	}
	group.Wait()
	ctx, cancel := context.WithTimeout(detached, sendTimeout)
	defer cancel()
	if err := a.DB.DeleteMail(ctx, q.done...); err != nil {
		a.Log.Error("mail queue not written", "err", err, "count", len(q.done))
	}
}

// claimMail removes what is done from the queue and claims the next mail. It returns
// models.ErrNotFound if no mail is due or none may be sent now.
func (a *App) claimMail(ctx context.Context, q *mailQueue) (*models.Mail, error) {
	// Without this, what was sent would be claimed and sent again after its lease.
	if err := q.clear(func(done []*models.Mail) error { return a.DB.DeleteMail(ctx, done...) }); err != nil {
		return nil, err
	}
	filter, ok := q.next()
	if !ok {
		return nil, models.ErrNotFound
	}
	m, err := a.DB.ClaimMail(ctx, filter)
	if err != nil {
		return nil, err
	}
	q.start(m)
	return m, nil
}

// mailQueue is what this process does with the queue in the database.
type mailQueue struct {
	conns int           // how many mails may be sent at once
	ended chan struct{} // has a token after a delivery

	mu      sync.Mutex
	running []*models.Mail
	done    []*models.Mail // to delete from the database

	failures int             // in a row with the same cause
	cause    string          // of the last failure
	domains  map[string]bool // of these failures
	paused   bool
	wait     time.Duration // between probes
	probeAt  time.Time     // none before
	probe    *models.Mail  // the mail that shows whether sending works again
}

// clear passes what is done to remove.
func (q *mailQueue) clear(remove func(done []*models.Mail) error) error {
	q.mu.Lock()
	done := q.done
	q.mu.Unlock()
	if len(done) == 0 {
		return nil
	}
	if err := remove(done); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.done = q.done[len(done):]
	return nil
}

// next returns which mail may be sent now, if any.
func (q *mailQueue) next() (filter models.MailFilter, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.running) >= q.conns || q.paused && (len(q.running) > 0 || time.Now().Before(q.probeAt)) {
		return filter, false
	}
	domains, retries, patient := map[string]int{}, 0, 0
	for _, m := range q.running {
		if domains[m.Domain]++; domains[m.Domain] == domainConns {
			filter.Except = append(filter.Except, m.Domain)
		}
		if m.Attempts > 1 {
			retries++
		}
		if m.Priority != models.MailUrgent {
			patient++
		}
	}
	filter.First = retries >= retryConns
	filter.Urgent = patient >= patientConns
	return filter, true
}

func (q *mailQueue) start(m *models.Mail) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running = append(q.running, m)
	if q.paused {
		q.probe = m
	}
}

func (q *mailQueue) finish(m *models.Mail, done bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running = slices.DeleteFunc(q.running, func(other *models.Mail) bool { return other == m })
	if done {
		q.done = append(q.done, m)
	}
	select {
	case q.ended <- struct{}{}:
	default:
	}
}

// The queue pauses after mailFailures alike in a row, because the fault is then hardly
// that of the recipients. While it is paused, one mail at a time is a probe.
const (
	mailFailures = 5
	firstProbe   = 2 * time.Second // doubles up to lastProbe
	lastProbe    = time.Minute
)

// note records how sending m ended, and pauses the queue or resumes it.
func (q *mailQueue) note(log *slog.Logger, m *models.Mail, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err == nil || mail.Permanent(err) { // the server works, whatever it thinks of the recipient
		if q.paused {
			log.Info("mail is sent again")
		}
		q.failures, q.cause, q.paused, q.probe = 0, "", false, nil
		return
	}
	cause := mail.CauseOf(err)
	if cause.Name != q.cause {
		q.failures, q.cause, q.domains = 0, cause.Name, map[string]bool{}
	}
	if !cause.ByRecipient || !q.domains[m.Domain] { // a domain that stalls counts once
		q.failures++
	}
	q.domains[m.Domain] = true
	switch {
	case q.paused && q.probe == m:
		q.wait = min(2*q.wait, lastProbe)
	case !q.paused && q.failures >= mailFailures:
		q.paused, q.wait = true, firstProbe
		log.Error("mail is paused: several in a row failed alike, so only one at a time is tried", "err", err, "cause", cause.Name)
	}
	q.probeAt = time.Now().Add(q.wait)
}
