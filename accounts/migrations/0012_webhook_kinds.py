import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0011_sign_in_pressure_second_factor'),
    ]

    operations = [
        migrations.CreateModel(
            name='WebhookKind',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=60, verbose_name='kind')),
                ('endpoint', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='kinds', to='accounts.webhookendpoint', verbose_name='webhook address')),
            ],
            options={
                'verbose_name': 'kind of message',
                'verbose_name_plural': 'kinds of messages',
                'db_table': 'webhook_kinds',
                'ordering': ('kind',),
                'constraints': [models.UniqueConstraint(fields=('endpoint', 'kind'), name='webhook_kinds_once')],
            },
        ),
    ]
