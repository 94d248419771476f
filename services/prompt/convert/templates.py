"""Templates and their pages."""

import base64
import binascii

from google.protobuf.timestamp_pb2 import Timestamp

from reelmesh.prompt.v1 import prompt_pb2, prompt_service_pb2
from services.common.errors import InvalidArgument
from services.prompt.convert.prompts import parameters_from, parameters_to
from services.prompt.domain.templates import DEFAULT_PAGE, Page, Template, TemplateContent
from services.prompt.usecases.templates import CreateTemplateRequest


def create_request_from(
    tenant: str, message: prompt_service_pb2.CreateTemplateRequest
) -> CreateTemplateRequest:
    """The request; what is output only is ignored."""
    told = message.template
    content = TemplateContent(
        display_name=told.display_name, body=told.body, defaults=parameters_from(told.defaults)
    )
    return CreateTemplateRequest(
        tenant=tenant, content=content, name=told.name, request_id=message.request_id
    )


def template_to(template: Template) -> prompt_pb2.Template:
    """One version."""
    created = Timestamp()
    created.FromDatetime(template.create_time)
    return prompt_pb2.Template(
        name=f"templates/{template.id}",
        display_name=template.content.display_name,
        body=template.content.body,
        defaults=parameters_to(template.content.defaults),
        version=template.version,
        create_time=created,
    )


def page_from(message: prompt_service_pb2.ListTemplatesRequest) -> Page:
    """Where the page begins; size 0 means the default."""
    try:
        after = base64.b64decode(message.page_token.encode(), b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise InvalidArgument("page_token", "is not one of ours") from error
    return Page(message.page_size or DEFAULT_PAGE, after)


def page_token(after: str) -> str:
    """The token of the next page; "" after the last."""
    return base64.urlsafe_b64encode(after.encode()).decode()
