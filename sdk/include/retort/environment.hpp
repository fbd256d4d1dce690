// Base class of environments (retort.environment/1), and an environment that stands in a slot.
#pragma once

#include <retort/abi/environment.h>

#include <memory>
#include <retort/component.hpp>
#include <string>
#include <string_view>

namespace retort {

/// One world with its state. JSON texts as retort/abi/environment.h has them; used by one thread at a time.
class Session {
 public:
  Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  virtual ~Session() = default;
  virtual std::string execute(std::string_view calls) = 0;
  /// JSON, as start() takes it under "state".
  virtual std::string state() const { throw std::invalid_argument("this world cannot be saved"); }
};

class Environment : public ComponentBase {
 public:
  static constexpr const char* interface_id = RETORT_ENVIRONMENT_INTERFACE;
  virtual std::string tools() const = 0;
  /// An item a row, from 0. The same arguments give the same bytes.
  virtual void generate(std::string_view /*split*/, std::int64_t /*count*/, std::uint64_t /*seed*/,
                        const ItemSink& /*rows*/) const {
    throw std::invalid_argument("this environment makes no rows");
  }
  virtual std::unique_ptr<Session> start(std::string_view start) const = 0;

  const void* table(std::string_view id) const final {
    static const retort_environment_v1 functions = {
        RETORT_ENVIRONMENT_V1_SIZE, 0, &abi_tools, &abi_generate, &abi_start, &abi_execute, &abi_state, &abi_end};
    return id == interface_id ? &functions : nullptr;
  }

 private:
  static Session& session_of(retort_session* session) { return *reinterpret_cast<Session*>(session); }
  static retort_error* abi_tools(retort_instance* instance, const retort_text_sink* tools) {
    return detail::guarded([&] { detail::write(tools, detail::self<Environment>(instance).tools()); });
  }
  static retort_error* abi_generate(retort_instance* instance, retort_string split, std::int64_t count,
                                    std::uint64_t seed, const retort_item_sink* rows) {
    return detail::guarded(
        [&] { detail::self<Environment>(instance).generate(to_view(split), count, seed, ItemSink(*rows)); });
  }
  static retort_error* abi_start(retort_instance* instance, retort_string start, retort_session** out) {
    return detail::guarded([&] {
      *out = reinterpret_cast<retort_session*>(detail::self<Environment>(instance).start(to_view(start)).release());
    });
  }
  static retort_error* abi_execute(retort_instance* /*instance*/, retort_session* session, retort_string calls,
                                   const retort_text_sink* outcome) {
    return detail::guarded([&] { detail::write(outcome, session_of(session).execute(to_view(calls))); });
  }
  static retort_error* abi_state(retort_instance* /*instance*/, retort_session* session,
                                 const retort_text_sink* state) {
    return detail::guarded([&] { detail::write(state, session_of(session).state()); });
  }
  static void abi_end(retort_instance* /*instance*/, retort_session* session) {
    delete reinterpret_cast<Session*>(session);
  }
};

/// A session of an environment in a slot; ends with this object.
class SlotSession {
 public:
  SlotSession(const retort_environment_v1& functions, retort_instance* instance, std::string_view start)
      : functions_(functions), instance_(instance) {
    throw_if_error(functions.start(instance, to_abi(start), &session_));
  }
  SlotSession(const SlotSession&) = delete;
  SlotSession& operator=(const SlotSession&) = delete;
  ~SlotSession() { functions_.end(instance_, session_); }
  std::string execute(std::string_view calls) const {
    std::string out;
    const retort_text_sink sink = detail::sink_into(out);
    throw_if_error(functions_.execute(instance_, session_, to_abi(calls), &sink));
    return out;
  }
  std::string state() const {
    if (functions_.state == nullptr) throw std::invalid_argument("this world cannot be saved");
    std::string out;
    const retort_text_sink sink = detail::sink_into(out);
    throw_if_error(functions_.state(instance_, session_, &sink));
    return out;
  }

 private:
  const retort_environment_v1& functions_;
  retort_instance* instance_;
  retort_session* session_ = nullptr;
};

/// An environment in a slot, as a stage uses it.
class EnvironmentSlot {
 public:
  using Take = detail::ItemsInto::Take;
  explicit EnvironmentSlot(BoundComponent component) : component_(std::move(component)) {}
  std::string tools() const {
    std::string out;
    const retort_text_sink sink = detail::sink_into(out);
    throw_if_error(functions().tools(component_.instance(), &sink));
    return out;
  }
  bool can_generate() const { return functions().generate != nullptr; }
  void generate(std::string_view split, std::int64_t count, std::uint64_t seed, Take take) const {
    const detail::ItemsInto items(std::move(take));
    throw_if_error(functions().generate(component_.instance(), to_abi(split), count, seed, items.sink()));
    items.rethrow();
  }
  SlotSession start(std::string_view start = "{}") const { return {functions(), component_.instance(), start}; }
  std::string_view id() const { return component_.id(); }

 private:
  const retort_environment_v1& functions() const { return component_.functions<retort_environment_v1>(); }
  BoundComponent component_;
};

}  // namespace retort
