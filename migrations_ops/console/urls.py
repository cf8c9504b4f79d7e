"""Addresses of the console, all below /console/."""

from django.urls import path

from migrations_ops.console.views import actions, checkpoints, home, ledgers, mending, moves, plans, runs

app_name = "console"

urlpatterns = [
    path("", home.home, name="home"),
    path("status.json", home.status_json, name="status_json"),
    path("workers/", home.workers, name="workers"),
    path("plans/", plans.plan_list, name="plans"),
    path("plans/new/", plans.plan_new, name="plan_new"),
    path("plans/<int:pk>/", plans.plan_page, name="plan"),
    path("plans/<int:pk>.json", plans.plan_json, name="plan_json"),
    path("plans/<int:pk>/check/", plans.check, name="plan_check"),
    path("plans/<int:pk>/rehearse/", plans.rehearse, name="plan_rehearse"),
    path("plans/<int:pk>/start/", plans.start, name="plan_start"),
    path("plans/<int:pk>/values/", mending.values_page, name="plan_values"),
    path("plans/<int:pk>/repair/", mending.repair, name="plan_repair"),
    path("moves/new/", moves.plan_form, name="move_new"),
    path("moves/<int:pk>.json", moves.move_json, name="move_json"),
    path("moves/<int:pk>/go/", moves.go, name="move_go"),
    path("moves/<int:pk>/speed/", moves.speed, name="move_speed"),
    path("moves/<int:pk>/hours/", moves.hours, name="move_hours"),
    path("moves/<int:pk>/close-return/", moves.close_return, name="move_close"),
    path("moves/<int:pk>/ledger/", ledgers.ledger_page, name="move_ledger_page"),
    path("moves/<int:pk>/ledger.<slug:form>", ledgers.ledger, name="move_ledger"),
    path("runs/", runs.run_list, name="runs"),
    path("runs/<int:pk>/", runs.run_page, name="run"),
    path("runs/<int:pk>.json", runs.run_json, name="run_json"),
    path("runs/<int:pk>/live/", runs.run_live, name="run_live"),
    path("runs/<int:pk>/journal/", runs.run_journal, name="run_journal"),
    path("runs/<int:pk>/skip/<path:step>/", actions.skip, name="run_skip"),
    path("runs/<int:pk>/<slug:action>/", actions.run_action, name="run_action"),
    path("checkpoints/", checkpoints.checkpoint_list, name="checkpoints"),
    path("checkpoints/new/", checkpoints.create, name="checkpoint_new"),
    path("checkpoints/trim/", checkpoints.trim, name="checkpoints_trim"),
    path("checkpoints/<uuid:pk>/", checkpoints.checkpoint_page, name="checkpoint"),
    path("checkpoints/<uuid:pk>.json", checkpoints.checkpoint_json, name="checkpoint_json"),
    path("checkpoints/<uuid:pk>/verify/", checkpoints.verify, name="checkpoint_verify"),
    path("checkpoints/<uuid:pk>/download/", checkpoints.download, name="checkpoint_download"),
    path("checkpoints/<uuid:pk>/protect/", checkpoints.protect, name="checkpoint_protect"),
    path("checkpoints/<uuid:pk>/unprotect/", checkpoints.unprotect, name="checkpoint_unprotect"),
    path("checkpoints/<uuid:pk>/delete/", checkpoints.delete, name="checkpoint_delete"),
    path("checkpoints/<uuid:pk>/restore/", checkpoints.restore, name="checkpoint_restore"),
]
