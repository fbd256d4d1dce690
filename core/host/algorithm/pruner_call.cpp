#include "host/algorithm/pruner_call.h"

#include <cmath>
#include <exception>
#include <limits>
#include <retort/host.hpp>
#include <retort/tensor.hpp>
#include <stdexcept>

#include "host/algorithm/component_failure.h"
#include "host/plugin/plugin_error.h"
#include "host/plugin/signal_names.h"

namespace retort::host {
namespace {

PruneKeep keep_of(const retort_prune_keep& keep) {
  if (keep.count > 0 && keep.indices == nullptr) throw std::invalid_argument("a keep has a count, but no indices");
  return {keep.axis, keep.layer, {keep.indices, keep.indices + keep.count}};
}

retort_error* error_of(std::int32_t code, const std::string& message) {
  return host_services().error_new(code, to_abi(message));
}

/// Exceptions of the host's side must not cross the component.
template <typename Body>
retort_error* guarded_answer(Body&& body) noexcept {
  try {
    body();
    return nullptr;
  } catch (const Stopped& stopped) {
    return error_of(RETORT_ERROR_STOPPED, stopped.what());
  } catch (const std::invalid_argument& error) {
    return error_of(RETORT_ERROR_INVALID_ARGUMENT, error.what());
  } catch (const std::exception& error) {
    return error_of(RETORT_ERROR_RUNTIME, error.what());
  }
}

/// The retort_prune_model of one call of plan().
class AnsweringModel {
 public:
  AnsweringModel(std::string id, const retort_prune_structure& structure, std::span<const std::int64_t> required_tokens,
                 const PruneModelAnswers& answers)
      : id_(std::move(id)), structure_(structure), required_(required_tokens), answers_(answers) {}
  AnsweringModel(const AnsweringModel&) = delete;
  AnsweringModel& operator=(const AnsweringModel&) = delete;
  const retort_prune_model* get() const { return &abi_; }

 private:
  using Answer = std::function<const retort_tensor&(const std::string& name)>;
  template <Answer PruneModelAnswers::* which>
  static retort_error* tensor(void* context, retort_string name, const retort_tensor** out) {
    return guarded_answer([&] { *out = &(static_cast<AnsweringModel*>(context)->answers_.*which)(to_std(name)); });
  }
  static retort_error* evaluate(void* context, const retort_prune_keep* keeps, std::uint64_t count, double* loss) {
    return guarded_answer([&] {
      const auto& self = *static_cast<AnsweringModel*>(context);
      PruneKeeps plan;
      const char* next = reinterpret_cast<const char*>(keeps);
      for (std::uint64_t i = 0; i < count; ++i) {
        const auto& keep = *reinterpret_cast<const retort_prune_keep*>(next);
        plan.push_back(keep_of(keep));
        next += keep.struct_size;
      }
      check_prune_plan(self.id_ + "'s candidate", self.structure_, self.required_, plan);
      *loss = self.answers_.evaluate(plan);
    });
  }

  static retort_error* feed_forward_hessian(void* context, std::int64_t layer, const retort_tensor** out) {
    return guarded_answer([&] {
      const auto& self = *static_cast<AnsweringModel*>(context);
      if (layer < 0 || layer >= self.structure_.layers)
        throw std::invalid_argument("feed_forward_hessian: expected a layer from 0 to " +
                                    std::to_string(self.structure_.layers - 1) + ", found " + std::to_string(layer));
      *out = &self.answers_.feed_forward_hessian(layer);
    });
  }

  std::string id_;
  const retort_prune_structure& structure_;
  std::span<const std::int64_t> required_;
  const PruneModelAnswers& answers_;
  retort_prune_model abi_{sizeof(retort_prune_model),
                          0,
                          this,
                          &tensor<&PruneModelAnswers::weight>,
                          &tensor<&PruneModelAnswers::gradient>,
                          &tensor<&PruneModelAnswers::squared_gradient>,
                          &evaluate,
                          &feed_forward_hessian};
};

/// Findings about the plan are kept until the plugin has returned: exceptions must not cross it.
class CollectedPlan {
 public:
  explicit CollectedPlan(const PruneModelAnswers& answers) : answers_(answers) {}
  CollectedPlan(const CollectedPlan&) = delete;
  CollectedPlan& operator=(const CollectedPlan&) = delete;

  PruneKeeps plan;
  std::exception_ptr failure;
  retort_prune_plan_sink sink{sizeof(retort_prune_plan_sink), 0, this,
                              [](void* context, const retort_prune_keep* keep) {
                                auto& self = *static_cast<CollectedPlan*>(context);
                                self.guarded([&] { self.plan.push_back(keep_of(*keep)); });
                              },
                              [](void* context, retort_string name, const retort_tensor* values) {
                                auto& self = *static_cast<CollectedPlan*>(context);
                                self.guarded([&] {
                                  if (values == nullptr) throw std::invalid_argument("a new weight has no values");
                                  self.answers_.replace(to_std(name), *values);
                                });
                              }};

 private:
  template <typename Body>
  void guarded(const Body& body) {
    try {
      body();
    } catch (...) {
      if (!failure) failure = std::current_exception();
    }
  }
  const PruneModelAnswers& answers_;
};

}  // namespace

retort_prune_requirements PrunerCall::requirements() const {
  retort_prune_requirements wanted{};
  wanted.struct_size = sizeof wanted;
  throw_component_failure(functions_.requirements(instance_, &wanted), id_);
  if ((wanted.signals & ~prune_signals) != 0)
    throw std::invalid_argument(id_ + " asks for " + signal_names(wanted.signals & ~prune_signals) +
                                ", expected only " + signal_names(prune_signals));
  if ((wanted.flags & ~RETORT_PRUNE_EVALUATES) != 0)
    throw std::invalid_argument(id_ + " sets flags " + std::to_string(wanted.flags) +
                                " of which this host knows only RETORT_PRUNE_EVALUATES");
  if (wanted.samples < 0)
    throw std::invalid_argument(id_ + " asks for " + std::to_string(wanted.samples) +
                                " calibration sequences, expected at least 0");
  return wanted;
}

PruneKeeps PrunerCall::plan(const retort_prune_structure& structure, const retort_prune_signals& signals,
                            const PruneModelAnswers& model, CallMetrics& metrics) const {
  const TensorView<const std::int64_t> tokens(signals.required_tokens, "required_tokens", 1);
  const std::span<const std::int64_t> required(tokens.row(0), static_cast<std::size_t>(tokens.rows()));
  const AnsweringModel answering(id_, structure, required, model);
  CollectedPlan collected(model);
  const retort_metric_sink sink = sink_into(metrics);
  try {
    throw_component_failure(functions_.plan(instance_, &structure, &signals, answering.get(), &collected.sink, &sink),
                            id_);
  } catch (const std::invalid_argument& refusal) {
    throw PlanRefused(refusal.what());
  }
  if (collected.failure) std::rethrow_exception(collected.failure);
  check_prune_plan(id_ + "'s plan", structure, required, collected.plan);
  return std::move(collected.plan);
}

}  // namespace retort::host
