#pragma once

#include "base/engine.h"
#include "base/thread_set.h"

namespace mqclient::base {

/// What the process as a whole keeps: leaked on purpose, one file (O1). The weak default engine, and the threads that
/// ended their own engine and still have to be joined. defaultEngine() and quiesceEngines() are declared in engine.h.

/// `engine`'s last reference is gone: it is no default any more. Before its memory goes.
void forgetDefaultEngine(const Engine& engine) noexcept;

/// An engine is going to be ended by one of its own threads...
void engineReapingBegins() noexcept;
/// ...and this was the thread's last act: quiesceEngines() joins it.
void engineReaped(Thread self) noexcept;

}  // namespace mqclient::base
