package auth

// NewPassword are the fields in which a person chooses another password.
type NewPassword struct {
	Password        string `form:"password" label:"New password" noun:"your new password" type:"password" autocomplete:"new-password" hint:"At least 8 characters. A few unrelated words make a good one." validate:"required"`
	ConfirmPassword string `form:"confirm_password" label:"Confirm new password" noun:"your new password again" type:"password" autocomplete:"new-password" validate:"required,eqfield=Password"`
}
