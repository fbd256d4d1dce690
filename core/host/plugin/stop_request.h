// How loops of this library that may go over millions of rows learn that the user wants to stop.
#pragma once

namespace retort::host {

/// Throws retort::Stopped once request_stop() was called. [any-thread]
void throw_if_stop_requested();

}  // namespace retort::host
