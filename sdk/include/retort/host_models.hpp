// A model on the host's runtime (retort.host.models/1), closed with this object.
#pragma once

#include <retort/abi/host_models.h>

#include <retort/component.hpp>
#include <string>
#include <string_view>

namespace retort {

/// JSON texts as retort/abi/host_models.h has them. One thread at a time.
class HostModel {
 public:
  using Take = detail::ItemsInto::Take;
  /// Throws std::runtime_error where this host offers no models, and what open() says.
  explicit HostModel(std::string_view folder, std::int64_t threads = 0, std::int64_t sequences = 0)
      : functions_(host_extension<retort_host_models_v1>(RETORT_HOST_MODELS_EXTENSION)) {
    if (functions_ == nullptr) throw std::runtime_error("this host does not offer " RETORT_HOST_MODELS_EXTENSION);
    const retort_model_options options{sizeof(retort_model_options), 0, to_abi(folder), threads, sequences};
    throw_if_error(functions_->open(&options, &model_));
  }
  HostModel(const HostModel&) = delete;
  HostModel& operator=(const HostModel&) = delete;
  ~HostModel() { functions_->close(model_); }

  std::string describe() const {
    std::string json;
    const retort_text_sink sink = detail::sink_into(json);
    throw_if_error(functions_->describe(model_, &sink));
    return json;
  }
  void complete(std::string_view requests, Take take) const { call(functions_->complete, requests, std::move(take)); }
  void score(std::string_view requests, Take take) const { call(functions_->score, requests, std::move(take)); }

 private:
  using Function = retort_error* (*)(retort_model*, retort_string, const retort_item_sink*);
  void call(Function function, std::string_view requests, Take take) const {
    const detail::ItemsInto items(std::move(take));
    throw_if_error(function(model_, to_abi(requests), items.sink()));
    items.rethrow();
  }
  const retort_host_models_v1* functions_;
  retort_model* model_ = nullptr;
};

}  // namespace retort
