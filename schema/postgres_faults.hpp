// What a SQLSTATE means to us: which code the error has, what the user can do, and whether waiting helps. One table for connecting, running,
// and migrating. Pure.
#pragma once
#include "schema/error.hpp"

#include <string>
#include <string_view>

namespace taskmaster::postgres {

/// What an unanswered statement leaves behind: nothing (a read), or not known (a write).
enum class effect { read, write };

ec code_of(std::string_view sqlstate, effect what);
/// "; the database's disk is full": a sentence's end for the user, or nothing.
std::string advice_for(std::string_view sqlstate);
/// Somebody has to change something before the same attempt can succeed: the password, a right, the name of the database. A node that
/// starts ends with it instead of waiting.
bool needs_somebody(std::string_view sqlstate);
/// Of "FATAL:  28P01: password authentication failed …", what libpq writes for a refused connection at verbosity `verbose`; it has no other
/// way to tell the SQLSTATE. The first word is in the server's language, the state is not. Empty when there is none.
std::string state_of_refusal(std::string_view text);

} // namespace taskmaster::postgres
