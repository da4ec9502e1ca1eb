from django.http import HttpResponse


def index(request):
    return HttpResponse()


def raised(request, uuid):
    return HttpResponse()
