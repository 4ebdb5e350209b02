package apptest

// Sentences that several tests look for.
const (
	AtLeast5             = "Use at least 5 characters."
	AtLeast8             = "Use at least 8 characters."
	AtMost32             = "Use at most 32 characters."
	AtMost100            = "Use at most 100 characters."
	AtMost128            = "Use at most 128 characters."
	AtMost254            = "Use at most 254 characters."
	PlainUsername        = "Use only letters a to z, digits, dots, underscores and hyphens."
	WantsAddress         = "Enter an email address such as name@example.com."
	LongLocal            = "Use at most 64 characters before the @."
	UnreachableAddress   = "We can't send mail to this address. Use one with only letters a to z, digits and symbols before the @."
	OddCharacter         = "This contains a character that can't be used here."
	TooCommon            = "This password is too common. Try a few unrelated words."
	Personal             = "Don't use your own name, username or email address in the password."
	Unreadable           = "The password contains characters that can't be read. Type it again."
	PasswordsDiffer      = "The passwords don't match."
	TakenUsername        = "This username is already taken."
	TakenEmail           = "There's already an account with this email address."
	WrongSignIn          = "Wrong email, username or password."
	WrongPassword        = "That isn't your current password."
	WantsCurrentPassword = "Enter your current password."
)

// The subjects of mail.
const (
	VerifySubject      = "Confirm your email address"
	ChangeSubject      = "Confirm your new email address"
	ChangedSubject     = "Your email address was changed"
	ResetSubject       = "Reset your password"
	WasResetSubject    = "Your password was reset"
	NewPasswordSubject = "Your password was changed"
	NewBrowserSubject  = "New sign-in to your account"

	SiteInvitationSubject = "You're invited to Vestibule"

	PasskeyAddedSubject   = "A passkey was added"
	PasskeyRenamedSubject = "A passkey was renamed"
	PasskeyRemovedSubject = "A passkey was removed"
	PasskeyRefusedSubject = "A sign-in with a passkey was refused"
)

// BreachedPassword passes every rule but that of passwords that are known from a data breach.
const BreachedPassword = "quarry velvet 41 moth"

// WasBreached is what the site says about such a password.
const WasBreached = "This password has appeared in a data breach. Choose another one."
