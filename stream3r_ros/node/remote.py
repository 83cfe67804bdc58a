"""Another node's parameters and reset service, asked without ever waiting for an answer."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from rcl_interfaces.msg import ParameterEvent
from rcl_interfaces.srv import GetParameters, SetParametersAtomically
from rclpy.client import Client
from rclpy.node import Node
from rclpy.parameter import Parameter, parameter_value_to_python
from rclpy.qos import QoSProfile
from rclpy.task import Future
from std_srvs.srv import Trigger

ANSWER_S = 5.0
"""How long a call may go unanswered: a node that was killed never answers."""


class RemoteNode:
    """Set and follow some parameters of another node.

    ``set`` and ``reset`` may be called from any thread and return at once; ``work`` does the rest
    when the executor calls it. What is true is told to ``on_values``, also after a refusal, and
    what went wrong to ``on_sentence``, with an empty sentence when all is well again.
    """

    def __init__(
        self,
        node: Node,
        name: str,
        parameters: Sequence[str],
        on_values: Callable[[dict[str, Any]], None],
        on_sentence: Callable[[str], None],
    ) -> None:
        self._node, self._name, self._parameters = node, name, parameters
        self._on_values, self._on_sentence = on_values, on_sentence
        self._set = node.create_client(
            SetParametersAtomically, f'{name}/set_parameters_atomically'
        )
        self._get = node.create_client(GetParameters, f'{name}/get_parameters')
        self._reset = node.create_client(Trigger, f'{name}/reset')
        self._full_name = self._get.service_name.removesuffix('/get_parameters')
        self._events = node.create_subscription(
            ParameterEvent, '/parameter_events', self._on_event, QoSProfile(depth=100)
        )
        self._lock = threading.Lock()
        self._wishes: dict[str, Any] = {}
        self._reset_wished = False
        self._truth: dict[str, Any] = {}
        self._pending: tuple[Client, Future, float] | None = None
        self._must_read = True

    @property
    def is_known(self) -> bool:
        """Tell whether the parameters' values are known."""
        return bool(self._truth)

    def set(self, name: str, value: Any) -> None:
        """Wish for a value; of several wishes for one parameter the last counts."""
        with self._lock:
            self._wishes[name] = value

    def reset(self) -> None:
        """Wish for a new stream."""
        with self._lock:
            self._reset_wished = True

    def forget(self) -> None:
        """Read the parameters anew: it is another node by now, which owes no answer."""
        self._pending = None
        self._must_read = True

    def work(self) -> None:
        """Send what is wished for, one call at a time, and give up on what is never answered."""
        self._give_up_in_time()
        if not self._get.service_is_ready():
            self._truth = {}
            self.forget()
            self._refuse_wishes()
        elif self._pending is None:
            self._send_next()

    def _send_next(self) -> None:
        with self._lock:
            wishes, self._wishes = self._wishes, {}
            reset, self._reset_wished = self._reset_wished, False
            if wishes and reset:  # the reset's turn comes after the parameters'
                self._reset_wished, reset = True, False
        if wishes:
            values = [Parameter(name, value=v).to_parameter_msg() for name, v in wishes.items()]
            request = SetParametersAtomically.Request(parameters=values)
            self._call(self._set, request, lambda response: self._on_set(wishes, response))
        elif reset:
            self._call(self._reset, Trigger.Request(), self._on_reset)
        elif self._must_read:
            request = GetParameters.Request(names=list(self._parameters))
            self._call(self._get, request, self._on_read)

    def _call(self, client: Client, request: Any, on_response: Callable[[Any], None]) -> None:
        future = client.call_async(request)
        self._pending = client, future, time.monotonic() + ANSWER_S

        def done(_: Future) -> None:
            if self._pending is not None and self._pending[1] is future:
                self._pending = None
                on_response(future.result())

        future.add_done_callback(done)

    def _give_up_in_time(self) -> None:
        if self._pending is None or time.monotonic() < self._pending[2]:
            return
        client, future, _ = self._pending
        client.remove_pending_request(future)
        self._pending = None
        self._must_read = True
        self._on_sentence(f'{self._full_name} has not answered for {ANSWER_S:.0f} s')
        self._on_values(self._truth)

    def _refuse_wishes(self) -> None:
        with self._lock:
            wished = bool(self._wishes) or self._reset_wished
            self._wishes, self._reset_wished = {}, False
        if wished:
            self._on_sentence(f'{self._full_name} is not there: nothing was changed')

    def _on_set(self, wishes: dict[str, Any], response: SetParametersAtomically.Response) -> None:
        if response.result.successful:
            self._truth |= wishes
            self._on_sentence('')
        else:
            self._on_sentence(response.result.reason or f'{", ".join(wishes)} was refused')
        with self._lock:
            newer = set(self._wishes)
        self._on_values({name: v for name, v in self._truth.items() if name not in newer})

    def _on_reset(self, response: Trigger.Response) -> None:
        self._on_sentence('' if response.success else response.message)

    def _on_read(self, response: GetParameters.Response) -> None:
        self._must_read = False
        self._on_sentence('')
        values = map(parameter_value_to_python, response.values)
        read = zip(self._parameters, values, strict=False)
        self._truth = {name: value for name, value in read if value is not None}
        self._on_values(self._truth)

    def _on_event(self, event: ParameterEvent) -> None:
        """Hear what others change."""
        if event.node != self._full_name:
            return
        changed = {
            parameter.name: parameter_value_to_python(parameter.value)
            for parameter in event.changed_parameters
            if parameter.name in self._parameters
        }
        if changed:
            self._truth |= changed
            self._on_values(changed)
